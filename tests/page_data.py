"""The data sets that descriptions on the pages speak of: a few pictures each, in their layout."""

import json
from collections.abc import Callable
from pathlib import Path

from coco_files import annotation, box, content, save_coco
from known_layouts import write_ade20k
from pictures import ids, save_pairs, save_picture
from stored_shards import shard_bytes

COCO_CLASSES = ("car", "bus", "sky", "road")


def _write_folders(root: Path) -> None:
    for split in ("train", "val"):
        pair = {f"images/{split}/{split}.jpg": f"masks/{split}/{split}.png"}
        save_pairs(root, pair, ids(7, 8, 9, 11, 255))


def _write_coco(root: Path) -> None:
    categories = [{"id": number, "name": name} for number, name in enumerate(COCO_CLASSES, 1)]
    shapes = [
        annotation(1, number, [box(6 * number, 2, 6 * number + 4, 9)], id=number)
        for number in range(1, 5)
    ]
    for split in ("train", "val"):
        path = root / "annotations" / f"instances_{split}2017.json"
        name = f"{split}.jpg"
        save_coco(path, content([name], shapes, categories), [root / f"{split}2017" / name])


def _write_label_studio(root: Path) -> None:
    tasks = []
    for number, label in enumerate(["background", "crop", "weed"] * 4):
        place = {"x": 10, "y": 10, "width": 20, "height": 20, "rotation": 0}
        shape = {
            "type": "rectanglelabels",
            "original_width": 30,
            "original_height": 20,
            "value": {**place, "rectanglelabels": [label]},
        }
        name = f"{number}.jpg"
        save_picture(root / "images" / name)
        tasks.append({"data": {"image": name}, "annotations": [{"id": 1, "result": [shape]}]})
    (root / "project.json").write_text(json.dumps(tasks), encoding="utf-8")


def _write_shards(root: Path) -> None:
    for split, count in (("train", 100), ("val", 10)):
        for number in range(count):
            path = root / "roads" / f"{split}-{number:06d}.tar"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(shard_bytes(number % 10, 1))


# By what a description says of its format.
WRITERS: dict[str, Callable[[Path], object]] = {
    "folder": _write_folders,
    "ade20k": write_ade20k,
    "coco": _write_coco,
    "label_studio": _write_label_studio,
    "webdataset": _write_shards,
}
