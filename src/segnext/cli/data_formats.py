"""`segnext data formats`: what can be read."""

import json
from typing import Annotated, Any

import typer


def data_formats(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """List the known data sets and the formats that --format and data.yaml take.

    Example: segnext data formats
    """
    from rich.console import Console
    from rich.table import Table

    from segnext.data.datasets.registry import DATASETS
    from segnext.data.formats.registry import FORMATS

    datasets: list[dict[str, Any]] = [
        {
            "name": known.name,
            "title": known.title,
            "classes": known.classes.num_classes,
            "counts": {split: known.allowed_counts(split) for split in known.counts},
            "license": known.license,
            "obtain": known.obtain,
        }
        for known in DATASETS.values()
    ]
    formats = [{"name": "folder", "title": "photos and masks in folders; see docs/data.md"}]
    formats += [{"name": entry.name, "title": entry.title} for entry in FORMATS.values()]
    if as_json:
        typer.echo(json.dumps({"datasets": datasets, "formats": formats}))
        return
    style: dict[str, Any] = {"box": None, "padding": (0, 2, 0, 0), "header_style": "bold"}
    table = Table("data set", "what", "classes", "train", "val", **style)
    for row in datasets:
        sizes = (row["counts"].get(split, ()) for split in ("train", "val"))
        shown = (f"{size[0]:,}" if size else "-" for size in sizes)
        table.add_row(row["name"], row["title"], str(row["classes"]), *shown)
    console = Console(highlight=False, markup=False)
    console.print(table)
    console.print()
    table = Table("format", "what", **style)
    for row in formats:
        table.add_row(row["name"], row["title"])
    console.print(table)
