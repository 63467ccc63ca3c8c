"""Annotation files as COCO lays them out, for the tests of its reader."""

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pictures import save_picture

CATEGORIES = ({"id": 3, "name": "car"}, {"id": 7, "name": "dog"})


def box(left: float, top: float, right: float, bottom: float) -> list[float]:
    """Return an upright rectangle as COCO's polygon."""
    return [left, top, right, top, right, bottom, left, bottom]


def annotation(image: Any, category: int, segmentation: Any, **fields: Any) -> dict[str, Any]:
    """Return an annotation; its id is 1 unless told."""
    fields = {"id": 1, "iscrowd": 0, "area": 0, **fields}
    return {"image_id": image, "category_id": category, "segmentation": segmentation, **fields}


def content(
    names: Sequence[str],
    annotations: Sequence[Mapping[str, Any]] = (),
    categories: Sequence[Mapping[str, Any]] = CATEGORIES,
) -> dict[str, Any]:
    """Return a file about 30x20 pictures, numbered from 1."""
    return {
        "images": [
            {"id": number, "file_name": name, "height": 20, "width": 30}
            for number, name in enumerate(names, 1)
        ],
        "annotations": list(annotations),
        "categories": copy.deepcopy(list(categories)),
    }


def save_coco(path: Path, values: Any, pictures: Sequence[Path | str] = ()) -> Path:
    """Write an annotation file and 30x20 photos."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    for picture in pictures:
        save_picture(Path(picture))
    return path
