"""`segnext data synthetic`: a labelled data set out of nothing."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def synthetic(
    out: Annotated[Path, typer.Argument(help="Folder to make.", show_default=False)],
    train: Annotated[int, typer.Option(min=1, help="Training scenes.")] = 240,
    val: Annotated[int, typer.Option(min=1, help="Validation scenes.")] = 40,
    test: Annotated[int, typer.Option(min=0, help="Test scenes.")] = 40,
    seed: Annotated[int, typer.Option(min=0, help="Of the scenes.")] = 0,
    size: Annotated[
        str, typer.Option(help="WIDTHxHEIGHT of the scenes (px), at least 64x64.")
    ] = "160x128",
    domain: Annotated[
        str, typer.Option(help="What they show: street, specks, defects or bands.")
    ] = "street",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace other scenes in the folder.")
    ] = False,
) -> None:
    """Draw small scenes with exact masks, to try things on.

    street: photos in RGB. specks: tiny cells on slides.
    defects: rare flaws of grey surfaces. bands: farmland in five 16-bit bands.

    Example: segnext data synthetic scenes/ --train 240 --val 40
    """
    from segnext.data.synthetic import write_scenes

    width, cross, height = size.lower().partition("x")
    if not (cross and width.isdigit() and height.isdigit()):
        msg = f"{size!r} should read WIDTHxHEIGHT, such as 160x128"
        raise typer.BadParameter(msg, param_hint="--size")
    write_scenes(
        out,
        train=train,
        val=val,
        test=test,
        seed=seed,
        width=int(width),
        height=int(height),
        overwrite=overwrite,
        domain=domain,
    )
    Console(soft_wrap=True, highlight=False).print(f"{train + val + test} scenes in {out}")
