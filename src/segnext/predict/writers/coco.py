"""COCO JSON: an annotation for each connected area, as a polygon or as run lengths.

A category's id is the train id of the mask PNG. Polygons run along the edges of pixels; a hole is
cut out by an edge that leads to it and back, since COCO's polygons know no holes.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from segnext.classes import Classes
from segnext.data.formats.coco_rle import pack_counts
from segnext.data.outlines import Region
from segnext.data.shapes import Runs
from segnext.predict.writers.data_yaml import write_data_yaml
from segnext.predict.writers.labelled import Labelled
from segnext.predict.writers.writer import Writer
from segnext.storage import replace_atomically

# The name that CVAT gives, and that readers look for.
_FILE = "annotations/instances_default.json"
_INFO = '{"description": "predicted by segnext"}'


def list_categories(classes: Classes) -> list[dict[str, Any]]:
    """Return `categories`, one for each train id."""
    return [
        {"id": label, "name": name, "supercategory": ""}
        for label, name in enumerate(classes.label_names)
    ]


def describe_image(picture: Labelled, image_id: int) -> dict[str, Any]:
    """Return the entry of `images`."""
    height, width = picture.mask.shape
    return {"id": image_id, "file_name": picture.file_name, "height": height, "width": width}


def list_annotations(
    picture: Labelled, image_id: int, first_id: int, *, rle: bool = False
) -> Iterator[dict[str, Any]]:
    """Yield the entries of `annotations`.

    Args:
        picture: With its labels.
        image_id: Of the picture.
        first_id: Of its first annotation; the others count on.
        rle: Write run lengths instead of polygons.
    """
    for own, region in enumerate(picture.regions(), first_id):
        yield {
            "id": own,
            "image_id": image_id,
            "category_id": region.label,
            "segmentation": _pack(region, *picture.mask.shape) if rle else [region.outline()],
            "area": region.area,
            "bbox": list(region.box),
            "iscrowd": 0,
        }


def _pack(region: Region, height: int, width: int) -> dict[str, Any]:
    """Return COCO's packed run lengths, down the columns of the whole picture."""
    left, top, across, down = region.box
    columns = np.zeros((across, height), np.bool_)
    columns[:, top : top + down] = region.inside.T
    counts = Runs.from_bitmap(columns).counts.tolist()
    counts[0] += left * height
    counts[-1] += (width - left - across) * height
    if not counts[-1]:
        counts.pop()
    return {"size": [height, width], "counts": pack_counts(counts)}


def _write_polygons(folder: Path, pictures: Iterable[Labelled], classes: Classes) -> None:
    _write(folder, pictures, classes, rle=False)


def _write_runs(folder: Path, pictures: Iterable[Labelled], classes: Classes) -> None:
    _write(folder, pictures, classes, rle=True)


def _write(folder: Path, pictures: Iterable[Labelled], classes: Classes, *, rle: bool) -> None:
    images: list[dict[str, Any]] = []
    count = 0
    with (
        replace_atomically(folder / _FILE) as temporary,
        temporary.open("w", encoding="utf-8") as file,
    ):
        categories = json.dumps(list_categories(classes))
        file.write(f'{{"info": {_INFO},\n"categories": {categories},\n"annotations": [')
        for image_id, picture in enumerate(pictures, 1):
            images.append(describe_image(picture, image_id))
            for annotation in list_annotations(picture, image_id, count + 1, rle=rle):
                file.write(",\n" if count else "\n")
                json.dump(annotation, file, separators=(",", ":"))
                count += 1
        # Last, since only now all sizes are known; they are few.
        file.write('],\n"images": ' + json.dumps(images) + "}\n")
    write_data_yaml(folder, classes, {"format": "coco"})


POLYGONS = Writer("coco", write_folder=_write_polygons)
RUNS = Writer("coco-rle", write_folder=_write_runs)
