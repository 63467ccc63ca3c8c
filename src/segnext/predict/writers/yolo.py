"""YOLO's segmentation labels: a text file for each picture, a line for each connected area.

Polygons run along the edges of pixels; a hole is cut out by an edge that leads to it and back,
since the format knows no holes. The number of a class is its train id.
"""

from collections.abc import Iterable
from pathlib import Path

from segnext.classes import Classes
from segnext.predict.writers.data_yaml import write_data_yaml
from segnext.predict.writers.labelled import Labelled
from segnext.predict.writers.writer import Writer


def encode_yolo(picture: Labelled, _path: Path) -> bytes:
    """Return the label file of a picture; empty if there is nothing but background."""
    height, width = picture.mask.shape
    lines = []
    for region in picture.regions():
        outline = region.outline()
        points = zip(outline[::2], outline[1::2], strict=True)
        shares = [f"{_share(x, width)} {_share(y, height)}" for x, y in points]
        lines.append(f"{region.label} {' '.join(shares)}\n")
    return "".join(lines).encode()


def _share(value: int, size: int) -> str:
    # The usual six digits miss the edges of pixels where a side has more than 3,900.
    return f"{value / size:.9f}".rstrip("0").rstrip(".")


def _write_names(folder: Path, _pictures: Iterable[Labelled], classes: Classes) -> None:
    names = dict(enumerate(classes.label_names))
    write_data_yaml(folder, classes, {"train": "images", "names": names})


YOLO = Writer("yolo", "labels/{name}.txt", encode_yolo, _write_names)
