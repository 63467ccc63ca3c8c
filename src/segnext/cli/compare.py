"""`segnext compare`: a list of systems, one recipe, one page."""

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from segnext.cli.options import Overrides
from segnext.errors import UsageError

if TYPE_CHECKING:
    from segnext.compare import CompareResult

# Instead of a comparison's name.
_LIST = "list"


def compare(
    config: Annotated[
        str,
        typer.Argument(
            help="A YAML file, one of the paper's tables by name, or list to see those.",
            show_default=False,
        ),
    ],
    data: Annotated[
        Path | None, typer.Option(help="Folder or data.yaml to train on, over the file's.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the comparison (default: runs/NAME).")
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="Numbers with commas: every system is trained with each.")
    ] = None,
    systems: Annotated[
        list[str] | None, typer.Option("--system", help="Only this one; may be repeated.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Scored at the end, over the file's (default: val).")
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="HEIGHTxWIDTH of costs and times (default: 512x512).")
    ] = None,
    overrides: Overrides = None,
    no_train: Annotated[
        bool, typer.Option("--no-train", help="Only put on the page what is there.")
    ] = False,
    no_measure: Annotated[
        bool, typer.Option("--no-measure", help="Leave out times and memory.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON alone on standard output.")
    ] = False,
) -> None:
    """Train systems by one recipe and seed set, and write scores, sizes and times on one page.

    What is trained already is kept, and an interrupted comparison goes on. The page is
    OUT/comparison.html, with the same numbers in comparison.json and comparison.csv.

    Example: segnext compare table6 --data camvid/ --seeds 0,1 --set max_steps=1000
    """
    from segnext.compare import compare as run_compare
    from segnext.compare import list_tables, read_compare_config
    from segnext.training.arguments import parse_overrides

    if config == _LIST:
        for name in list_tables():
            typer.echo(f"{name:<26} {read_compare_config(name, {}).title}")
        return
    changes: dict[str, Any] = {"options": parse_overrides(overrides or [])}
    changes |= {"systems": systems} if systems else {}
    changes |= {"data": data} if data is not None else {}
    changes |= {"seeds": _parse_seeds(seeds)} if seeds is not None else {}
    changes |= {"split": split} if split is not None else {}
    changes |= {"size": _parse_size(size)} if size is not None else {}
    changes |= {"measure": False} if no_measure else {}
    read = read_compare_config(config, changes)
    place = out or Path("runs") / Path(config).stem
    console = Console(stderr=True)

    def show_run(system: str, seed: int, kept: bool) -> None:
        said = f"{system}, seed {seed}: {'kept' if kept else 'training'}"
        console.print(said, highlight=False, markup=False)

    result = run_compare(
        read,
        place,
        train=not no_train,
        quiet=as_json,
        command=shlex.join(["segnext", *sys.argv[1:]]),
        on_run=show_run,
    )
    if as_json:
        typer.echo(json.dumps(result.to_dict()))
    else:
        _print(result, place)


def _parse_seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        msg = f"--seeds {text}: whole numbers with commas, such as 0,1,2"
        raise UsageError(msg) from None


def _parse_size(text: str) -> tuple[int, int]:
    height, cross, width = text.partition("x")
    if not (cross and height.isdecimal() and width.isdecimal()):
        msg = f"--size {text}: should read HEIGHTxWIDTH, such as 512x512"
        raise UsageError(msg)
    return int(height), int(width)


def _print(result: "CompareResult", out: Path) -> None:
    from rich.table import Table

    from segnext.compare.page import judge

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("system")
    for title in (result.config.score_name, "+-", "parameters (M)", "GMACs"):
        table.add_column(title, justify="right")
    for row in result.rows:
        numbers = (row.score, row.spread, row.parameters_m, row.gmacs)
        table.add_row(row.system.name, *("-" if v is None else f"{v:.2f}" for v in numbers))
    console = Console()
    console.print(table)
    for line in ("", judge(result), f"page: {out / 'comparison.html'}"):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
