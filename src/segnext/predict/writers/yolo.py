"""YOLO's segmentation labels: a text file for each picture, a line for each connected area.

Polygons run along the edges of pixels; a hole is cut out by an edge that leads to it and back,
since the format knows no holes. The number of a class is its train id.
"""

from collections.abc import Iterable
from pathlib import Path

import yaml

from segnext.classes import Classes
from segnext.predict.writers.labelled import Labelled
from segnext.predict.writers.writer import Writer
from segnext.storage import write_atomically


def encode_yolo(picture: Labelled, _path: Path) -> bytes:
    """Return the label file of a picture; empty if there is nothing but background."""
    height, width = picture.mask.shape
    lines = []
    for region in picture.regions():
        outline = region.outline()
        shares = [value / size for value, size in zip(outline, [width, height] * (len(outline) // 2), strict=True)]
        lines.append(" ".join([str(region.label), *map(_format, shares)]) + "\n")
    return "".join(lines).encode()


def _format(share: float) -> str:
    # The usual six digits would miss the edges of pixels in pictures of more than 3,900.
    return f"{share:.9f}".rstrip("0").rstrip(".")


def _write_names(folder: Path, _pictures: Iterable[Labelled], classes: Classes) -> None:
    content = {"path": ".", "train": "images", "names": dict(enumerate(classes.label_names))}
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    write_atomically(folder / "data.yaml", text.encode())


YOLO = Writer("yolo", "labels/{name}.txt", encode_yolo, _write_names)
