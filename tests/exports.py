"""What the tests of export run in a process of its own, and stand-ins for those that need none."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from conftest import SMALLEST
from lively_models import enliven
from segnext.data.synthetic import SCENE_CLASSES, draw_scene
from segnext.deploy import exporting
from segnext.deploy.formats import FORMATS, Job
from segnext.inference import Runner, open_runner
from segnext.inference.backends import ModuleRunner
from segnext.models import SegNeXt, SegNeXtConfig
from segnext.spec import ModelSpec
from segnext.weights import describe_model


def lively_model(**options: Any) -> SegNeXt:
    """Build a model of milliseconds that tells the scenes' classes apart, if not rightly."""
    config = {"num_classes": SCENE_CLASSES.num_classes, **SMALLEST, **options}
    model = enliven(SegNeXt(SegNeXtConfig.from_dict(config)))
    same = config["num_classes"] == SCENE_CLASSES.num_classes
    model.spec = describe_model(model, SCENE_CLASSES if same else None)
    return model


def export_and_predict(out: str, options: dict[str, Any]) -> None:
    """Export a model, predict a scene with the file, and print as JSON what was found."""
    import segnext

    torch.set_num_threads(1)
    model = lively_model()
    report = segnext.export(model, out, **options)
    height, width = options.get("size") or (70, 100)
    scene, _ = draw_scene(0, 5, width=max(64, width), height=max(64, height))
    predictor = segnext.Predictor(out, threads=1, device="cpu")
    expected = segnext.Predictor(model, backend="eager", device="cpu")(scene[:height, :width])
    found = predictor(scene[:height, :width])
    told = {
        "report": report.to_dict(),
        "backend": predictor.backend,
        "classes": list(predictor.spec.classes.names),
        "equal": float((found.mask == expected.mask).mean()),
        "unequal": int((found.mask != expected.mask).sum()),
        "files": sorted(path.name for path in Path(out).parent.iterdir()),
    }
    print(json.dumps(told))


def stand_in(
    monkeypatch: pytest.MonkeyPatch,
    *,
    off_by: float = 0.0,
    write: Callable[[Job, Path], None] | None = None,
    suffix: str = ".onnx",
) -> None:
    """Let a file of bytes stand for an exported one, and PyTorch run it.

    Args:
        monkeypatch: Of the test.
        off_by: What is added to the file's logits of the first class.
        write: Instead of writing the bytes.
        suffix: Of the format.
    """
    jobs: list[Job] = []

    def write_bytes(job: Job, path: Path) -> None:
        jobs.append(job)
        if write is not None:
            write(job, path)
            return
        for file in FORMATS[suffix].files(path):
            file.write_bytes(b"new")

    def open_file(source: SegNeXt | Path, **options: Any) -> Runner:
        if isinstance(source, SegNeXt):
            return open_runner(source, **options)
        return run_job(jobs[-1], off_by)

    faked = replace(FORMATS[suffix], write=write_bytes, missing=lambda _: None)
    monkeypatch.setitem(FORMATS, suffix, faked)
    monkeypatch.setattr(exporting, "open_runner", open_file)


def run_job(job: Job, off_by: float = 0.0) -> Runner:
    """Run in PyTorch what would be written."""
    network = job.network()
    first = torch.zeros(job.model.config.num_classes)[:, None, None]
    first[0] = off_by

    def compute(images: Tensor) -> Tensor:
        result: Tensor = network(images)
        return result + first if job.description.output == "logits" else result

    runner = ModuleRunner("stand-in", compute, job.model.config.in_channels, torch.device("cpu"))
    runner.describe_as(job.description)
    return runner


def scene_spec(**changes: Any) -> ModelSpec:
    """Describe a model of the scenes."""
    spec = lively_model().spec
    assert spec is not None
    return replace(spec, **changes)
