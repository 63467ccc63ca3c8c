"""Readers of weights, configurations and run folders."""

import io
import json
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch

import segnext
from fuzz.mutator import dump_json, encode_json, encode_yaml
from fuzz.target import NUMBERS, YAML_TOKENS, Target
from segnext.classification.files import ClassifierSpec, load_classifier
from segnext.compare.config import read_compare_config
from segnext.compare.running import read_run as read_compared
from segnext.errors import SegnextError
from segnext.inference.description import GraphDescription, parse_description
from segnext.models import create_classifier, create_model
from segnext.training.arguments import read_config
from segnext.training.checkpoint import read_about
from segnext.training.config import build_config
from segnext.training.history import read_run
from segnext.weights.adapt import build_from_state_dict
from segnext.weights.description import describe_model
from segnext.weights.files import read_model
from segnext.weights.foreign import convert_state_dict
from segnext.weights.pickles import read_checkpoint

TINY: dict[str, Any] = {"embed_dims": (32, 32, 32, 32), "depths": (1, 1, 1, 1), "rank": 4}


def _train_configs() -> list[Any]:
    return [
        {
            "data": "x",
            "model": "segnext_tiny",
            "model_options": {"rank": 8, "depths": [1, 1, 1, 1], "eval_steps": 3},
            "crop_size": [64, 64],
            "loss": {"cross_entropy": 1, "dice": 0.5},
            "budget": "30m",
            "memory": "8GB",
            "learning_rate": 1e-4,
            "merge": {"a": ["b", "c"]},
        },
        *(
            {"data": "x", "model": f"mscan_tiny_{decoder}", "model_options": options}
            for decoder, options in (
                ("upernet", {"grids": [1, 2], "width": 64}),
                ("deeplabv3", {"rates": [1, 6], "width": 64}),
                ("mlp", {"width": 64}),
                ("fcn", {"convs": 1}),
                ("ham", {"width": 64, "rank": 8}),
            )
        ),
    ]


def _read_train_config(folder: Path) -> None:
    config = build_config(read_config(folder / "plan.yaml"))
    # Memory is what was asked for; options that cannot be must not reach it.
    with torch.device("meta"):
        create_model(config.model, num_classes=3, **config.model_options)


def _compare_configs() -> list[Any]:
    system = {"name": "a", "model": "segnext_tiny", "model_options": {"gate": False}}
    published = {"name": "b", "published": {"miou": 41.0, "parameters": 5.1}, "note": "theirs"}
    return [
        {
            "title": "t",
            "options": {"max_steps": 20},
            "seeds": [0, 1],
            "size": [64, 64],
            "backends": ["eager"],
            "systems": [system, published],
        }
    ]


def _weights() -> list[Any]:
    found = []
    for name, options in (
        ("segnext_tiny", TINY),
        ("mscan_tiny_upernet", {"width": 32, "grids": (1, 2)}),
        ("mscan_tiny_deeplabv3", {"width": 32, "rates": (1, 2)}),
    ):
        with torch.device("meta"):
            model = create_model(name, num_classes=2, **options)
        about = describe_model(model).to_dict()
        shapes = {key: list(value.shape) for key, value in model.state_dict().items()}
        found.append({"spec": json.loads(json.dumps(about)), "shapes": shapes})
    return found


def _classifiers() -> list[Any]:
    options = {name: value for name, value in TINY.items() if name != "rank"}
    with torch.device("meta"):
        model = create_classifier("mscan_tiny", num_classes=2, **options)
    names = ("a", "b")
    spec = ClassifierSpec(
        "mscan_tiny", model.config.to_dict(), names, names, version=segnext.__version__
    )
    about = spec.to_model_spec().to_dict()
    shapes = {key: list(value.shape) for key, value in model.state_dict().items()}
    return [{"spec": json.loads(json.dumps(about)), "shapes": shapes}]


def _safetensors(metadata: Callable[[Any], dict[str, str]], tree: Any) -> bytes:
    """Write zeros in the shapes of a tree, or lies where the shapes are none."""
    tree = tree if isinstance(tree, dict) else {"spec": tree}
    header: dict[str, Any] = {"__metadata__": metadata(tree)}
    end = 0
    shapes = tree.get("shapes")
    for name, shape in shapes.items() if isinstance(shapes, dict) else ():
        counter = str(name).endswith("num_batches_tracked")
        kind, size = ("I64", 8) if counter else ("F32", _count_bytes(shape))
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = encode_json(header)
    return len(text).to_bytes(8, "little") + text + bytes(min(end, 1 << 25))


def _count_bytes(shape: Any) -> int:
    """Return the size of a tensor of float32; of one number where the shape is none or large."""
    size = 4
    for side in shape if isinstance(shape, list) else ():
        if not isinstance(side, int) or not 0 <= size * side <= 1 << 22:
            return 4
        size *= side
    return size


def _spec_metadata(tree: Any) -> dict[str, str]:
    return {"format": "pt", "segnext": dump_json(tree.get("spec"))}


def _checkpoint_metadata(tree: Any) -> dict[str, str]:
    return {"format": "pt", "segnext_run": dump_json(tree.get("about"))}


def _run_about() -> dict[str, Any]:
    progress = {"step": 5, "best_step": 5, "elapsed_s": 1.0, "log_bytes": 10, "kept": [[0.5, 5]]}
    return {"about": {"progress": progress, "recipe": {"data": "x"}, "scaler": {}}, "shapes": {}}


def _classifier_metadata(tree: Any) -> dict[str, str]:
    about = {"model": "mscan_tiny", "folders": ["a", "b"], "view": {}}
    return {**_spec_metadata(tree), "segnext_classifier": dump_json(tree.get("about", about))}


def _pickles() -> list[bytes]:
    found = []
    for content in (
        {"state_dict": {"backbone.x": torch.zeros(6)}, "meta": {"classes": ("a", "b")}},
        {"a": [torch.zeros(2, 3), torch.zeros(1, dtype=torch.int64)], "b": (1, 2.0, "c", None)},
    ):
        file = io.BytesIO()
        torch.save(content, file)
        with zipfile.ZipFile(file) as archive:
            name = next(n for n in archive.namelist() if n.endswith("data.pkl"))
            found.append(archive.read(name))
    return found


def _zip_pickle(data: bytes) -> bytes:
    file = io.BytesIO()
    content = {"data.pkl": data, "byteorder": b"little", "version": b"3\n"}
    content |= {"data/0": bytes(24), "data/1": bytes(8)}  # the storages of `_pickles`
    with zipfile.ZipFile(file, "w") as archive:
        for name, part in content.items():
            # Not by its name, which would take the time of day along.
            archive.writestr(zipfile.ZipInfo(f"x/{name}"), part)
    return file.getvalue()


def _checkpoints() -> list[bytes]:
    found = []
    for zipped in (True, False):
        file = io.BytesIO()
        torch.save({"a": torch.zeros(4, 5)}, file, _use_new_zipfile_serialization=zipped)
        found.append(file.getvalue())
    return found


def _read_pth(folder: Path) -> None:
    content = read_checkpoint(folder / "weights.pth")
    with suppress(SegnextError):  # a seed with all tensors of a network would be too large
        build_from_state_dict(convert_state_dict(content))


def _descriptions() -> list[Any]:
    with torch.device("meta"):
        model = create_model("segnext_tiny", num_classes=2, **TINY)
    return [json.loads(GraphDescription(describe_model(model), size=(64, 64)).to_json())]


def _read_description(folder: Path) -> None:
    text = (folder / "spec.json").read_bytes().decode("utf-8", "replace")
    parse_description(text, "spec.json")


def _onnx_files() -> list[bytes]:
    from onnx import TensorProto, checker, helper

    sides = [1, 3, 64, 64]
    node = helper.make_node("Identity", ["x"], ["y"])
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, sides) for name in "xy"]
    graph = helper.make_graph([node], "g", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {"segnext": json.dumps(_descriptions()[0])})
    checker.check_model(model)
    return [model.SerializeToString()]


def _read_onnx(folder: Path) -> None:
    from segnext.inference.backends.onnx_runtime import OnnxRunner

    OnnxRunner(folder / "model.onnx", threads=1, device=torch.device("cpu"))


def _logs() -> list[bytes]:
    lines = [
        {"kind": "train", "step": 10, "loss": 0.5, "elapsed_s": 2.0},
        {"kind": "val", "step": 10, "miou": 0.4, "iou_per_class": {"road": 0.5, "car": None}},
    ]
    return ["".join(json.dumps(line) + "\n" for line in lines).encode()]


def _prepare_run(folder: Path) -> None:
    (folder / "config.yaml").write_text("data: x  # given\nmodel: segnext_tiny\nmax_steps: 20\n")
    (folder / "metrics.jsonl").write_bytes(_logs()[0])


def _read_history(folder: Path) -> None:
    run = read_run(folder)
    for value in (run.state, run.step, run.elapsed_s, run.best, run.max_steps, run.data_name):
        repr(value)
    run.elapsed_at(5)


def _compared() -> list[Any]:
    told = {"model": "segnext_tiny", "options": {}}
    run = {"system": "a", "seed": 0, "weights": "best.safetensors", "scores": {"miou": 40.0}}
    return [{**run, "curve": [[1, 0.5]], "steps": 20, "seconds": 1.0, "told": told}]


TARGETS = (
    Target(
        "train config",
        "plan.yaml",
        _read_train_config,
        _train_configs,
        encode_yaml,
        tokens=YAML_TOKENS,
    ),
    Target(
        "compare config",
        "compare.yaml",
        lambda folder: read_compare_config(folder / "compare.yaml", {}),
        _compare_configs,
        encode_yaml,
        tokens=YAML_TOKENS,
    ),
    Target(
        "safetensors",
        "w.safetensors",
        lambda folder: read_model(folder / "w.safetensors"),
        _weights,
        partial(_safetensors, _spec_metadata),
    ),
    Target(
        "classifier",
        "w.safetensors",
        lambda folder: load_classifier(folder / "w.safetensors"),
        _classifiers,
        partial(_safetensors, _classifier_metadata),
    ),
    Target("pth", "weights.pth", _read_pth, _checkpoints),
    Target("pickle", "weights.pth", _read_pth, _pickles, mend=_zip_pickle),
    Target("graph description", "spec.json", _read_description, _descriptions, encode_json),
    Target("onnx", "model.onnx", _read_onnx, _onnx_files),
    Target(
        "checkpoint",
        "last.safetensors",
        lambda folder: read_about(folder / "last.safetensors"),
        lambda: [_run_about()],
        partial(_safetensors, _checkpoint_metadata),
    ),
    Target(
        "metrics.jsonl",
        "metrics.jsonl",
        _read_history,
        _logs,
        prepare=_prepare_run,
        tokens=(*NUMBERS, b"NaN", b"1e999", b"null", b"[" * 50_000, b"{}"),
    ),
    Target(
        "config.yaml",
        "config.yaml",
        _read_history,
        lambda: [{"data": "x", "model": "segnext_tiny", "max_steps": 20, "validate_every": 5}],
        encode_yaml,
        prepare=_prepare_run,
        tokens=YAML_TOKENS,
    ),
    Target(
        "compare result",
        "result.json",
        read_compared,
        _compared,
        encode_json,
    ),
)
