"""Exports as Label Studio writes them, for the tests of its reader."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from brush_strokes import encode_brush
from pictures import save_picture

Json = dict[str, Any]

BRUSH = np.zeros((20, 30), np.bool_)
BRUSH[4:9, 20:28] = True


def region(kind: str, label: str | None, **value: Any) -> Json:
    named = {} if label is None else {kind: [label]}
    return {
        "id": "Dx_aB91ISN",
        "type": kind,
        "from_name": "label",
        "to_name": "image",
        "original_width": 30,
        "original_height": 20,
        "image_rotation": 0,
        "value": {**value, **named},
    }


def brush(label: str) -> Json:
    return region("brushlabels", label, format="rle", rle=list(encode_brush(BRUSH)))


def box(label: str, *, kind: str = "rectanglelabels", **changes: float) -> Json:
    """Columns 3-8 and rows 2-5 of the picture of 30 x 20, unless changed."""
    place = {"x": 10, "y": 10, "width": 20, "height": 20, "rotation": 0, **changes}
    return region(kind, label, **place)


def task(name: str, *results: Json, number: int = 1, **changes: Any) -> Json:
    annotation = {"id": 10 * number, "was_cancelled": False, "result": list(results)}
    data = {"image": f"/data/upload/1/ab12cd34-{name}"}
    return {
        "id": number,
        "annotations": [annotation],
        "drafts": [],
        "predictions": [],
        "data": data,
        **changes,
    }


def save(root: Path, *tasks: Json, photos: tuple[str, ...] = ("a.jpg",)) -> Path:
    for photo in photos:
        save_picture(root / "images" / photo)
    (root / "project-1-at-2026.json").write_text(json.dumps(list(tasks)), encoding="utf-8")
    return root
