"""A tiny `trainval_merged.json` of PASCAL in Detail."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from pictures import ids
from segnext.data.datasets.detail_json import read_detail


def detail_area(image: int, category: int, *values: int) -> dict[str, Any]:
    runs = coco_mask.encode(np.asfortranarray(ids(*values)))
    segmentation = {"size": runs["size"], "counts": runs["counts"].decode()}
    return {"image_id": image, "category_id": category, "segmentation": segmentation}


def detail_content() -> dict[str, Any]:
    images = [
        {
            "image_id": 7,
            "file_name": "2008_000002.jpg",
            "height": 20,
            "width": 30,
            "phase": "train",
        },
        {"image_id": 8, "file_name": "2008_000003.jpg", "height": 20, "width": 30, "phase": "val"},
    ]
    areas = [detail_area(7, 2, 1, 1, 0), detail_area(7, 458, 0, 1, 0), detail_area(8, 3, 0, 0, 1)]
    categories = [{"category_id": category, "name": "x"} for category in (2, 3, 458)]
    return {"images": images, "annos_segmentation": areas, "categories": categories}


def save_detail(path: Path, changed: dict[str, Any] | None = None) -> Path:
    path.write_text(json.dumps(detail_content() if changed is None else changed))
    read_detail.cache_clear()
    return path
