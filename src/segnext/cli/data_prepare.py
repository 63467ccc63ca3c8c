"""`segnext data prepare`: check a downloaded data set and convert what has to be."""

from pathlib import Path
from typing import Annotated

import typer

from segnext.cli.progress import counting_bar


def data_prepare(
    name: Annotated[
        str,
        typer.Argument(help="A data set of segnext data formats, or imagenet.", show_default=False),
    ],
    root: Annotated[
        Path, typer.Option(help="The data set as published or archived.", show_default=False)
    ],
    out: Annotated[
        Path,
        typer.Option(help="Folder for data.yaml and what is converted.", show_default=False),
    ],
    partial: Annotated[
        bool, typer.Option("--partial", help="Take any number of pictures of it.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes that convert; the cores by default.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="An option of the data set, name=value. May be repeated."),
    ] = None,
) -> None:
    """Check a downloaded data set, convert what has to be converted, and write its data.yaml.

    Half a data set is refused. What is done already is not done again.

    Example: segnext data prepare pascal_voc --root VOCdevkit/VOC2012 --out data/voc

    Then: segnext train data/voc
    """
    from segnext.data.datasets.prepare import prepare
    from segnext.errors import UsageError
    from segnext.training.arguments import parse_overrides

    options = parse_overrides(overrides or [])
    for option in ("name", "root", "out", "partial", "workers", "on_progress"):
        if option in options:
            msg = f"--set {option}: is no option of a data set; see docs/datasets.md"
            raise UsageError(msg)
    with counting_bar("reading", "converting") as show:
        written = prepare(
            name, root, out, partial=partial, workers=workers, on_progress=show, **options
        )
    typer.echo(f"ready: {written}")
