"""A folder that shows somebody without segnext how to run a model, and that it runs right."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from segnext.drawing import write_mask_png, write_png
from segnext.errors import UsageError
from segnext.inference import Runner
from segnext.inference.description import GraphDescription

FILES = Path(__file__).parent / "bundle_files"
MODEL = "model.onnx"
# Of labels, on another processor. Kernels for int8 round and saturate differently on each.
LEAST_EQUAL = {"float32": 0.999, "float16": 0.99, "int8": 0.98}
OPEN_SIDES = (32, 512, 1024)


def check_bundle(folder: Path, suffix: str, description: GraphDescription) -> None:
    """Refuse a bundle that cannot be made.

    Raises:
        UsageError: The file is no ONNX, needs more around it than the examples do, or something
            else lies where the bundle is to be.
    """
    if suffix != ".onnx":
        msg = f"--bundle is for .onnx files, whose runtime needs nothing else; got {suffix}"
        raise UsageError(msg)
    if not description.pixels or description.output != "labels":
        msg = (
            "a bundle's model takes pixels and gives labels, so that nothing is left to be done "
            "around it: add --pixels --output labels"
        )
        raise UsageError(msg)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        msg = f"{folder}: is there already; a bundle needs a new or empty folder"
        raise UsageError(msg)


def fill_bundle(folder: Path, model: Path, runner: Runner, picture: Tensor) -> None:
    """Write every file of a bundle.

    Args:
        folder: New.
        model: The ONNX file.
        runner: Of the same file.
        picture: Pixels that the mask is expected of, (1, C, H, W) uint8.
    """
    description = runner.description
    assert description is not None
    parity = folder / "parity"
    parity.mkdir(parents=True)
    shutil.copyfile(model, folder / MODEL)
    classes = description.spec.classes
    kind = np.dtype("<i4" if classes.num_labels > 255 else "u1")
    # A graph for a fixed number of pictures shows the same one several times.
    count = description.batch or 1
    pixels = picture.permute(0, 2, 3, 1).expand(count, -1, -1, -1).contiguous().numpy()
    mask = runner.run(picture, "labels")[0].numpy()
    labels = np.repeat(mask[None], count, axis=0).astype(kind)
    (parity / "input.raw").write_bytes(pixels.tobytes())
    (parity / "expected.raw").write_bytes(labels.tobytes())
    if pixels.shape[3] in (1, 3):
        write_png(parity / "input.png", pixels[0, ..., 0] if pixels.shape[3] == 1 else pixels[0])
    kept = mask.astype(np.uint8 if classes.num_labels <= 255 else np.uint16)
    write_mask_png(parity / "expected.png", kept, classes)
    least = LEAST_EQUAL[description.precision]
    _, height, width, channels = pixels.shape
    shape = f"{count} {height} {width} {channels} {kind.itemsize} {least}\n"
    (parity / "shape.txt").write_text(shape, encoding="utf-8")
    told = _describe(description, pixels.shape, kind, least)
    (folder / "spec.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    for name in ("example.py", "example.cpp"):
        shutil.copyfile(FILES / name, folder / name)
    readme = (FILES / "README.md").read_text(encoding="utf-8")
    (folder / "README.md").write_text(
        readme.format(**_readme(description, kind, least)), encoding="utf-8"
    )


def _describe(
    description: GraphDescription, shape: tuple[int, ...], kind: np.dtype[Any], least: float
) -> dict[str, Any]:
    spec = description.spec
    return {
        "file": MODEL,
        "class_names": spec.classes.label_names,
        "palette": [list(color) for color in spec.classes.label_colors],
        "license": spec.license,
        "protocol": spec.protocol.describe(),
        "precision": description.precision,
        "size": description.size,
        "batch": description.batch,
        "spec": spec.to_dict(),
        "parity": {
            "input": "parity/input.raw",
            "input_shape": list(shape),
            "expected": "parity/expected.raw",
            "label_type": kind.str,
            "least_equal": least,
        },
    }


def _readme(description: GraphDescription, kind: np.dtype[Any], least: float) -> dict[str, Any]:
    spec = description.spec
    size = description.size
    sides = "any height and width from 32" if size is None else f"{size[0]}x{size[1]} px only"
    number = "any batch" if description.batch is None else f"batch {description.batch} only"
    return {
        "model": spec.model,
        "channels": spec.normalization.channels,
        "label_type": kind.name,
        "sizes": f"{sides}, {number}",
        "least_equal": least,
        "protocol": spec.protocol.describe(),
        "license": spec.license,
        "tensorrt": tensorrt_command(description),
    }


def tensorrt_command(description: GraphDescription) -> str:
    """Return how TensorRT would build an engine of the file, with ranges for what is open."""
    command = f"trtexec --onnx={MODEL} --saveEngine=model.engine"
    if description.precision == "float16":
        command += " --fp16"
    if description.precision == "int8":
        command += " --int8"
    if description.size is not None and description.batch is not None:
        return command
    channels = description.spec.normalization.channels
    batches = [description.batch] * 3 if description.batch else [1, 1, 4]
    for name, side, batch in zip(("min", "opt", "max"), OPEN_SIDES, batches, strict=True):
        height, width = description.size or (side, side)
        command += f" --{name}Shapes=images:{batch}x{height}x{width}x{channels}"
    return command
