"""Roboflow's "semantic segmentation masks": grey masks beside the pictures.

    export/
        train/                  valid/ and test/ alike
            _classes.csv        Pixel Value, Class
            a_jpg.rf.12ab.jpg
            a_jpg.rf.12ab_mask.png

Every line of _classes.csv is a class, that of pixel value 0 too, which Roboflow calls background or
unlabeled. An export with one folder only is split by a hash.
"""

import csv
import io
import re
from pathlib import Path

from segnext.data.containers.paths import is_file, read_text, walk_files
from segnext.data.formats.format import Format
from segnext.data.formats.json_files import read_head
from segnext.data.formats.mask_labels import MaskLabel, build_label_reader
from segnext.data.images import IMAGE_SUFFIXES
from segnext.data.layout import Layout, find_split_folders
from segnext.data.pairing import Item, keep_labelled
from segnext.errors import DataError, list_some

_CLASSES, _ENDING = "_classes.csv", "_mask.png"
_HEADER = ["pixel value", "class"]
_VALUE = re.compile(r"[0-9]{1,5}")


def detect(root: Path) -> bool:
    """Tell whether a split of a folder or archive has a _classes.csv of pixel values."""
    try:
        folders = _find_splits(root)
        return any(_is_header(read_head(path / _CLASSES, 200)) for path in folders.values())
    except (OSError, DataError):
        return False


def read(root: Path) -> Layout:
    """Read an export; see this module.

    Args:
        root: Folder or archive.

    Raises:
        DataError: A file is missing or malformed, or the splits list different classes.
    """
    layout = Layout("Roboflow's semantic segmentation masks")
    folders = _find_splits(root)
    if not folders:
        msg = f"{root}: holds no {_CLASSES} in train, valid or test; export it from Roboflow again"
        raise DataError(msg)
    labels: list[MaskLabel] = []
    for split, folder in folders.items():
        found = read_pixel_values(folder / _CLASSES)
        if labels and found != labels:
            first = next(iter(folders.values())) / _CLASSES
            msg = (
                f"{folder / _CLASSES}: lists other classes than {first}; export all splits at once"
            )
            raise DataError(msg)
        labels = found
        layout.splits[split] = _pair(folder, root, split, layout.notes)
    if set(layout.splits) == {""}:
        layout.pool = layout.splits.pop("")
    items = [*layout.pool, *(item for part in layout.splits.values() for item in part)]
    masks = [item.mask_path for item in items if item.mask_path]
    where = str(next(iter(folders.values())) / _CLASSES)
    layout.masks, seen = build_label_reader(labels, masks, where, keep_void=True)
    layout.notes += seen
    return layout


def read_pixel_values(path: Path) -> list[MaskLabel]:
    """Read a _classes.csv.

    Raises:
        DataError: The file is missing or malformed; names the line.
    """
    try:
        rows = list(csv.reader(io.StringIO(read_text(path)), skipinitialspace=True))
    except csv.Error:
        rows = []
    if not rows or not _is_header(",".join(rows[0])):
        msg = f"{path}: must start with the line `Pixel Value, Class`"
        raise DataError(msg)
    labels: list[MaskLabel] = []
    for number, row in enumerate(rows[1:], 2):
        cells = [" ".join(cell.split()) for cell in row]
        if not any(cells):
            continue
        if len(cells) != 2 or not cells[1] or not _VALUE.fullmatch(cells[0]):
            msg = f"{path}, line {number}: {', '.join(row)!r} is no pixel value and class"
            raise DataError(msg)
        labels.append(MaskLabel(int(cells[0]), cells[1]))
    return sorted(labels, key=lambda label: label.value)


def _is_header(text: str) -> bool:
    first = text.splitlines()[0] if text else ""
    return [cell.strip().lower() for cell in first.split(",")] == _HEADER


def _find_splits(root: Path) -> dict[str, Path]:
    """Return the folder of each split; "" for the root itself."""
    found = find_split_folders(root)
    folders = {split: folder for split, folder in found.items() if is_file(folder / _CLASSES)}
    return folders or ({"": root} if is_file(root / _CLASSES) else {})


def _pair(folder: Path, root: Path, split: str, notes: list[str]) -> tuple[Item, ...]:
    pictures = [path for path in walk_files(folder) if path.suffix.lower() in IMAGE_SUFFIXES]
    masks = {path for path in pictures if path.name.endswith(_ENDING)}
    by_name: dict[str, Item] = {}
    for path in pictures:
        if path in masks:
            continue
        name = path.relative_to(root).with_suffix("").as_posix()
        if name in by_name:
            other = by_name[name].image_path
            msg = f"{other} and {path} have one name; remove or rename one of them"
            raise DataError(msg)
        mask = path.with_name(path.stem + _ENDING)
        by_name[name] = Item(name, path, mask if mask in masks else None, name)
    items = [by_name[name] for name in sorted(by_name)]
    if not items:
        msg = f"{folder}: holds no picture; export it from Roboflow again"
        raise DataError(msg)
    if masks and not any(item.mask_path for item in items):
        msg = f"{folder}: no picture has a mask of its name with {_ENDING} added"
        raise DataError(msg)
    orphans = masks - {item.mask_path for item in items}
    if orphans:
        names = list_some(sorted(path.name for path in orphans))
        notes.append(f"{folder}: {len(orphans)} masks without an image: {names}")
    return keep_labelled(items, split or "all", notes)


FORMAT = Format("roboflow", "semantic segmentation masks of Roboflow", detect, read)
