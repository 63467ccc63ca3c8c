"""A CSV of the area that every class covers in every picture."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segnext.storage import replace_atomically

COLUMNS = ("image", "class", "pixels", "share")


def write_areas(path: Path, images: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """Write a row for each class of each picture, also for those that it does not show.

    Args:
        path: The file, which appears complete or not at all.
        images: By name of a picture and of a class: `pixels`, and `share` in 0-1.
    """
    with (
        replace_atomically(path) as temporary,
        # Names that are no UTF-8 keep their bytes.
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for name, areas in images.items():
            for label, area in areas.items():
                table.writerow((name, label, area["pixels"], area["share"]))
