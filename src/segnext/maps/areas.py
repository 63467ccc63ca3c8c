"""How much of a map each class covers, in pixels and on the ground."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segnext.classes import Classes, count_ids
from segnext.data.rasters import open_dataset
from segnext.storage import write_atomically


@dataclass(frozen=True)
class MapAreas:
    """Areas of the classes of a map.

    Attributes:
        pixels: By name of the class.
        square_metres: Of one pixel, in the plane of the projection; `None` where the map has no
            projected coordinates.
    """

    pixels: dict[str, int]
    square_metres: float | None


def count_areas(path: Path, classes: Classes) -> MapAreas:
    """Count the pixels of each class in a map that was written here."""
    counts = np.zeros(classes.ignore_index + 1, np.int64)
    with open_dataset(path) as dataset:
        for _, window in dataset.block_windows(1):
            found = count_ids(dataset.read(1, window=window))
            counts += found[: len(counts)]
        metres = metres_per_unit(dataset.crs)
        area = None if metres is None else abs(dataset.transform.determinant) * metres**2
    pixels = {name: int(counts[train_id]) for train_id, name in enumerate(classes.label_names)}
    return MapAreas(pixels, area)


def metres_per_unit(crs: object) -> float | None:
    """Return the metres in a unit of projected coordinates; `None` of other ones, or of none."""
    if crs is None or not crs.is_projected:  # type: ignore[attr-defined]
        return None
    return float(crs.linear_units_factor[1])  # type: ignore[attr-defined]


def write_areas(path: Path, areas: MapAreas) -> None:
    """Write a CSV with a line for each class: pixels, share of what was observed, square metres."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["class", "pixels", "share", "square_metres"])
    total = sum(areas.pixels.values())
    for name, pixels in areas.pixels.items():
        ground = "" if areas.square_metres is None else f"{pixels * areas.square_metres:.2f}"
        writer.writerow([name, pixels, f"{pixels / max(1, total):.6f}", ground])
    write_atomically(path, text.getvalue().encode())
