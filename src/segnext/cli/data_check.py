"""`segnext data check`: read a whole data set and say what would spoil a training."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from segnext.cli.options import Data, Format, Group, IgnoreIndex, SplitSeed
from segnext.cli.progress import counting_bar

DEFAULT_PAGE = Path("check.html")


def data_check(
    data: Data,
    out: Annotated[
        Path | None,
        typer.Option(help="Where to write the page. (default: check.html, none with --json)"),
    ] = None,
    format_: Format = None,
    group: Group = None,
    ignore_index: IgnoreIndex = None,
    split_seed: SplitSeed = 0,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes that read; the cores by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Read everything and report what would spoil a training, with what to do about it.

    Finds broken and unpaired files, values and colours that no class has (with a label map to
    paste), masks of another size, rare and absent classes, and pictures that leak between splits.

    Example: segnext data check roads/

    Exit codes: 0 ready to train, 1 something would spoil a training, 2 wrong use.
    """
    from rich.console import Console

    from segnext.checkup_report import build_page, draw_overlays, print_checkup, suggest
    from segnext.data.checkup import check_data
    from segnext.storage import write_atomically

    page = out or (None if as_json else DEFAULT_PAGE)
    if page is not None:
        _check_page(page)
    options: dict[str, Any] = {
        "group": group,
        "ignore_index": tuple(ignore_index or ()),
        "split_seed": split_seed,
        "format": format_,
    }
    with counting_bar("reading") as show:
        checkup = check_data(data, workers=workers, on_done=show, **options)
    suggestion = suggest(checkup, **{name: value for name, value in options.items() if value})
    if as_json:
        plan = suggestion.to_dict() if suggestion else None
        typer.echo(json.dumps({**checkup.to_dict(), "plan": plan}, indent=1))
    else:
        print_checkup(checkup, suggestion, Console(highlight=False, markup=False))
    if page is not None:
        text = build_page(checkup, suggestion, draw_overlays(checkup))
        write_atomically(page, text.encode("utf-8"))
        if not as_json:
            typer.echo(f"page: {page}")
    if not checkup.passed:
        raise typer.Exit(1)


def _check_page(page: Path) -> None:
    """Refuse to replace a file that is no page of ours."""
    from segnext.checkup_report.page import MARK
    from segnext.errors import UsageError

    if page.is_dir():
        msg = f"{page}: is a folder; give --out the name of a page, such as {page / 'check.html'}"
        raise UsageError(msg)
    if page.exists():
        with page.open(encoding="utf-8", errors="replace") as file:
            if MARK not in file.read(1000):
                msg = f"{page}: is there already and no page of segnext data check; choose --out"
                raise UsageError(msg)
