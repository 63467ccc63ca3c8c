"""`segnext data submission`: predicted masks to the file that a test server takes."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from segnext.errors import UsageError


def data_submission(
    name: Annotated[
        str,
        typer.Argument(
            help="Data set: ade20k, cityscapes, pascal_voc, loveda, potsdam or vaihingen.",
            show_default=False,
        ),
    ],
    predictions: Annotated[
        Path | None,
        typer.Argument(help="Folder that segnext predict wrote.", show_default=False),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(help="The data set, which tells what pictures there are. Required."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write: .zip, or .tar for VOC.")] = None,
    check: Annotated[
        Path | None, typer.Option(help="Check this file instead, whoever packed it.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Split of the pictures. (default: what the server scores)")
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Take any number of pictures, for a trial.")
    ] = False,
    options: Annotated[
        list[str] | None,
        typer.Option("--set", help="Option of the server, such as comp=5 for pascal_voc."),
    ] = None,
) -> None:
    """Pack predicted masks for a data set's test server, and check the result.

    Ids, names, sizes and the number of files are what the server wants, or the first one that is
    not is named and nothing is written.

    Example: segnext data submission ade20k predictions/ --root ADEChallengeData2016 --out ade.zip
    """
    from segnext.submissions import check_submission, pack_submission
    from segnext.training.arguments import parse_overrides

    if root is None:
        msg = "no data set given: --root names the folder whose pictures were predicted"
        raise UsageError(msg)
    if (check is None) == (predictions is None or out is None):
        msg = "give PREDICTIONS and --out FILE to pack, or --check FILE alone to check"
        raise UsageError(msg)
    chosen = parse_overrides(options or [])
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("checking" if check else "packing", total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        if check is not None:
            found = check_submission(
                name, check, root, split=split, partial=partial, on_progress=show, options=chosen
            )
        else:
            assert predictions is not None
            assert out is not None
            found = pack_submission(
                name,
                predictions,
                root,
                out,
                split=split,
                partial=partial,
                on_progress=show,
                options=chosen,
            )
    megabytes = found.path.stat().st_size / 1e6
    Console(soft_wrap=True, highlight=False).print(
        f"{found.path}: {found.pictures:,} masks of {found.split}, {megabytes:.1f} MB; names, "
        f"sizes and ids are right. Where to send it: {found.server.site}"
    )
