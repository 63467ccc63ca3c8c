"""Options that several commands share, so that they read and behave alike."""

from pathlib import Path
from typing import Annotated

import typer

from segnext.errors import UsageError
from segnext.spec import Protocol

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
        help="Weights of segnext: a .safetensors file, a published name, a URL with its hash, or "
        "the folder of a cross-validation for the ensemble of its folds.",
        show_default=False,
    ),
]
Device = Annotated[
    str | None, typer.Option(help="cpu, cuda or mps; the fastest there is by default.")
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
    str | None, typer.Option(help="Model name, see segnext models. [default: segnext_tiny]")
]
Init = Annotated[
    str | None,
    typer.Option(
        help="pretrained (the published ImageNet encoder), none (from scratch), or weights to "
        "start from: a file or a published name. [default: pretrained]"
    ),
]
Budget = Annotated[str | None, typer.Option(help="Wall time of the run, such as 30m, 2h or 1h30m.")]
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
Window = Annotated[
    int | None,
    typer.Option(min=32, help="Side of sliding windows [px]; whole pictures by default."),
]
Stride = Annotated[
    int | None, typer.Option(min=1, help="Step between windows [px]; two thirds of the window.")
]
ShortSide = Annotated[
    int | None, typer.Option(min=32, help="Resize to this shorter side first [px].")
]
Scales = Annotated[
    str | None,
    typer.Option(help="Multi-scale: factors such as 0.75,1,1.25; probabilities are averaged."),
]
Flip = Annotated[bool, typer.Option("--flip", help="Average with the mirrored picture too.")]


def build_protocol(
    default: Protocol,
    *,
    short_side: int | None,
    window: int | None,
    stride: int | None,
    scales: str | None,
    flip: bool,
) -> Protocol:
    """Change what was given in a model's own protocol.

    Raises:
        UsageError: A value is out of range or no number.
    """
    return Protocol(
        short_side=default.short_side if short_side is None else short_side,
        window=default.window if window is None else window,
        stride=stride if window is not None or stride is not None else default.stride,
        scales=default.scales if scales is None else _parse_scales(scales),
        flip=default.flip or flip,
    )


def _parse_scales(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        msg = f"--scales {text!r}: should be factors with commas between, such as 0.75,1,1.25"
        raise UsageError(msg) from error
