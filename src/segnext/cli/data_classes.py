"""`segnext data classes`: the label map of a data set or a model."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from segnext.classes import BACKGROUND, Classes
from segnext.cli.options import Format


def data_classes(
    source: Annotated[
        str,
        typer.Argument(
            help="A data set of segnext data formats; a folder, .zip or data.yaml; or weights.",
            show_default=False,
        ),
    ],
    format_: Format = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Show which mask value becomes which class, and what a test server wants.

    Example: segnext data classes ade20k

    A folder that has the name of a data set is meant with a dot: ./camvid
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    classes = _find_classes(source, format_)
    described = describe_classes(classes)
    if as_json:
        typer.echo(json.dumps(described))
        return
    submitted = bool(classes.submission)
    titles = ("mask value", "class", *(("test server",) if submitted else ()), "color", "name")
    table = Table(*titles, box=None, padding=(0, 2, 0, 0), header_style="bold")
    for row in described["classes"]:
        color = "#{:02x}{:02x}{:02x}".format(*row["color"])
        cells = [_join_ranges(row["raw"]), str(row["train"])]
        cells += [str(row["submission"])] * submitted
        table.add_row(*cells, Text(f"██ {color}", style=color), Text(row["name"]))
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(table)
    console.print(f"ignored: {_join_ranges(described['ignored'])}")
    console.print(f"0: {described['zero']}")


def describe_classes(classes: Classes) -> dict[str, Any]:
    """Return a label map by class, ready for JSON.

    Returns:
        `classes`, one entry a train id with its raw ids; `ignored` raw ids; what raw id `zero`
        means.
    """
    table = dict(classes.raw_to_train) or {index: index for index in range(classes.num_labels)}
    submission = classes.submission or (None,) * classes.num_labels
    rows = [
        {
            "train": train,
            "raw": [raw for raw, to in table.items() if to == train],
            "submission": submission[train],
            "name": classes.label_names[train],
            "color": list(classes.label_colors[train]),
        }
        for train in range(classes.num_labels)
    ]
    ignored = {raw for raw, train in table.items() if train is None}
    if classes.ignore_index not in table:
        ignored.add(classes.ignore_index)
    return {"classes": rows, "ignored": sorted(ignored), "zero": _describe_zero(classes, table)}


def _describe_zero(classes: Classes, table: dict[int, int | None]) -> str:
    if 0 not in table:
        return "is declared by nothing; a mask that holds it is refused"
    train = table[0]
    if train is None:
        return "is void and counts for nothing (reduce_zero_label is not needed, and refused)"
    name = classes.label_names[train]
    kind = "a class that counts" if name == BACKGROUND else "a class like others"
    return f"is {name}, {kind}"


def _find_classes(source: str, format_: str | None) -> Classes:
    from segnext.data.containers.paths import is_folder
    from segnext.data.datasets.registry import DATASETS
    from segnext.errors import UsageError, describe_unknown

    if source in DATASETS and format_ is None:
        return DATASETS[source].classes
    path = Path(source)
    if is_folder(path) or path.suffix.lower() in (".yaml", ".yml"):
        from segnext.data.folder import open_folder

        return open_folder(path, format=format_).classes
    if path.suffix or len(path.parts) > 1:
        from segnext.weights import read_spec

        return read_spec(path).classes
    msg = f"{describe_unknown('data set', source, DATASETS)}; and there is no such folder"
    raise UsageError(msg)


def _join_ranges(numbers: Iterable[int]) -> str:
    """Write sorted numbers with runs shortened: `0-6, 9`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    return ", ".join("-".join(map(str, run)) for run in runs) or "none"
