"""The data sets that descriptions on the pages speak of: a few pictures each, in their layout."""

from collections.abc import Callable
from pathlib import Path

from coco_files import annotation, box, content, save_coco
from known_layouts import write_ade20k_archive
from label_studio_files import box as label_box
from label_studio_files import save, task
from pictures import ids, save_pairs
from stored_shards import shard_bytes

COCO_CLASSES = ("car", "bus", "sky", "road")
LABELS = ("background", "crop", "weed")


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
    labels = {f"{number}.jpg": label for number, label in enumerate(LABELS * 4)}
    tasks = [task(name, label_box(label)) for name, label in labels.items()]
    save(root, *tasks, photos=tuple(labels))


def _write_shards(root: Path) -> None:
    for split, count in (("train", 100), ("val", 10)):
        for number in range(count):
            path = root / "roads" / f"{split}-{number:06d}.tar"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(shard_bytes(number % 10, 1))


# By what a description says of its format.
WRITERS: dict[str, Callable[[Path], object]] = {
    "folder": _write_folders,
    "ade20k": write_ade20k_archive,
    "coco": _write_coco,
    "label_studio": _write_label_studio,
    "webdataset": _write_shards,
}
