"""Options that several commands share, so that they read and behave alike."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from segnext.errors import UsageError
from segnext.protocol import Protocol

Data = Annotated[
    Path,
    typer.Argument(help="Folder or .zip of photos and labels, or a data.yaml.", show_default=False),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="What the data are: folder, another format such as coco or labelme, or a known data "
        "set such as ade20k; see segnext data formats. Found out by default.",
    ),
]
Weights = Annotated[
    str,
    typer.Argument(
        help="Weights of segnext: a .safetensors file, a published name, a URL with its hash, the "
        "folder of a cross-validation for the ensemble of its folds, or a file of segnext export "
        "(.onnx, .xml, .pt2, .pte).",
        show_default=False,
    ),
]
Device = Annotated[
    str | None, typer.Option(help="cpu, cuda or mps; the fastest there is by default.")
]
BACKEND_HELP = (
    "What runs the network: eager (the model as it was trained), folded, openvino, onnxruntime, "
    "compiled, aotinductor, cuda_graphs, or auto for the fastest that is installed. An exported "
    "file has its own."
)
Backend = Annotated[str, typer.Option(help=BACKEND_HELP)]
Precision = Annotated[
    str,
    typer.Option(help="float32, bfloat16 or float16, where backend and device have units for it."),
]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Threads to compute with; all cores by default.")
]
Group = Annotated[
    str | None,
    typer.Option(
        help="Keep neighbours in one split: a regular expression searched in the picture's name "
        "(its first group names the scene), or a CSV file with columns image,group."
    ),
]
IgnoreIndex = Annotated[
    list[int] | None,
    typer.Option(help="Mask value that counts for nothing, besides 255. May be repeated."),
]
SplitSeed = Annotated[
    int, typer.Option(help="Seed of the split, for folders that come without one.")
]
Model = Annotated[
    str | None, typer.Option(help="Model name, see segnext models. (default: segnext_tiny)")
]
Init = Annotated[
    str | None,
    typer.Option(
        help="pretrained (the published ImageNet encoder), none (from scratch), or weights to "
        "start from: a file or a published name. (default: pretrained)"
    ),
]
Budget = Annotated[
    str | None,
    typer.Option(help="Wall time of steps and validations, such as 30m, 2h or 1h30m."),
]
Memory = Annotated[
    str | None, typer.Option(help="What a step may take on one device, such as 8GB.")
]
Domain = Annotated[
    str | None,
    typer.Option(help="What pictures show: street, overhead, microscopy, document or object."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any other option, name=value. May be repeated."),
]
ProtocolName = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        help="Test as others did: paper, authors, mmseg-0.x or mmseg-1.x, or default, the weights' "
        "own; -ms behind a name adds six scales and flip. What --window and the like say comes on "
        "top.",
    ),
]
DatasetName = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        help="Data set whose rules --protocol takes, such as ade20k; known from the data or the "
        "classes by default.",
    ),
]
Window = Annotated[
    int | None,
    typer.Option(min=32, help="Side of sliding windows (px); whole pictures by default."),
]
Stride = Annotated[
    int | None, typer.Option(min=1, help="Step between windows (px); two thirds of the window.")
]
ShortSide = Annotated[
    int | None, typer.Option(min=32, help="Resize to this shorter side first (px).")
]
Scales = Annotated[
    str | None,
    typer.Option(help="Multi-scale: factors such as 0.75,1,1.25; probabilities are averaged."),
]
Overlap = Annotated[
    str | None,
    typer.Option(
        help="Where windows overlap: average logits or probabilities, or blend, the fastest and "
        "without seams."
    ),
]
MAPS = "Maps"
Bands = Annotated[
    str | None,
    typer.Option(
        help="Bands of a map that are the channels, such as 4,3,2; all but alpha by default.",
        rich_help_panel=MAPS,
    ),
]
ValueRange = Annotated[
    str | None,
    typer.Option(
        help="Values of a map that become black and white, such as 0,3000; those of its 8 or 16 "
        "bits by default.",
        rich_help_panel=MAPS,
    ),
]
Flip = Annotated[bool, typer.Option("--flip", help="Average with the mirrored picture too.")]


def build_protocol(
    default: Protocol,
    *,
    name: str | None,
    dataset: str | None,
    short_side: int | None,
    window: int | None,
    stride: int | None,
    scales: str | None,
    overlap: str | None,
    flip: bool,
) -> Protocol:
    """Change what was given in a named protocol, or in a model's own.

    Raises:
        UsageError: The name is unknown, or a value is out of range or no number.
    """
    if name is not None:
        # Not at the top: the commands' help should not wait for torch.
        from segnext.inference import named_protocol

        default = named_protocol(name, dataset, default)
    changes: dict[str, Any] = {}
    if short_side is not None:
        changes |= {"short_side": short_side, "box": None}
    if window is not None:
        changes |= {"window": window, "stride": stride}
    elif stride is not None:
        changes["stride"] = stride
    if overlap is not None:
        changes["overlap"] = overlap
    if scales is not None:
        changes["scales"] = _parse_scales(scales)
    return replace(default, flip=default.flip or flip, **changes)


def parse_bands(text: str | None) -> tuple[int, ...] | None:
    """Read the numbers of bands.

    Raises:
        UsageError: One is no number.
    """
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        msg = f"--bands {text!r}: should be numbers with commas between, such as 4,3,2"
        raise UsageError(msg) from error


def parse_value_range(text: str | None) -> tuple[float, float] | None:
    """Read two values.

    Raises:
        UsageError: They are not two numbers.
    """
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError as error:
        msg = f"--value-range {text!r}: should be two numbers, black and white, such as 0,3000"
        raise UsageError(msg) from error
    return low, high


def _parse_scales(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        msg = f"--scales {text!r}: should be factors with commas between, such as 0.75,1,1.25"
        raise UsageError(msg) from error
