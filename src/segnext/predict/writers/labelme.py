"""LabelMe: a JSON for each picture, with a polygon for each connected area.

Polygons run along the edges of pixels; a hole is cut out by an edge that leads to it and back,
since LabelMe's polygons know no holes.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from segnext.classes import Classes
from segnext.predict.writers.data_yaml import write_data_yaml
from segnext.predict.writers.labelled import Labelled, drawn_labels
from segnext.predict.writers.writer import Writer

# Whose fields these are.
_VERSION = "5.5.0"


def encode_labelme(picture: Labelled, path: Path) -> bytes:
    """Return the file of a picture, which names the picture as seen from `path`."""
    height, width = picture.mask.shape
    names = picture.classes.label_names
    shapes: list[dict[str, Any]] = []
    for region in picture.regions():
        outline = region.outline()
        shapes.append(
            {
                "label": names[region.label],
                "points": [*map(list, zip(outline[::2], outline[1::2], strict=True))],
                "group_id": None,
                "description": "",
                "shape_type": "polygon",
                "flags": {},
                "mask": None,
            }
        )
    content = {
        "version": _VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": _relative(picture.path, path.parent),
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }
    return json.dumps(content, separators=(",", ":")).encode()


def _relative(picture: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(picture.resolve(), folder.resolve())).as_posix()
    except ValueError:  # on another drive
        return picture.resolve().as_posix()


def _write_classes(folder: Path, _pictures: Iterable[Labelled], classes: Classes) -> None:
    names = [classes.label_names[label] for label in drawn_labels(classes)]
    write_data_yaml(folder, classes, {"format": "labelme", "options": {"classes": names}})


LABELME = Writer("labelme", "{name}.json", encode_labelme, _write_classes)
