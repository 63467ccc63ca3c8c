"""YOLO's segmentation labels: a text file for each picture, and a data.yaml about all.

    data.yaml               names, and train, val, test: a folder or .txt list of pictures
    images/train/a.jpg      or train/images/a.jpg
    labels/train/a.txt      or train/labels/a.txt

Without data.yaml: `classes.txt` beside `images` and `labels`, as Label Studio exports it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segnext.data.containers.paths import file_size, is_file, read_text
from segnext.data.formats.format import Format
from segnext.data.formats.shape_classes import declare_shape_classes
from segnext.data.formats.yolo_labels import YoloMasks
from segnext.data.formats.yolo_sources import (
    find_sources,
    has_label_files,
    label_path,
    read_source,
)
from segnext.data.layout import Layout
from segnext.data.pairing import Item
from segnext.errors import DataError, list_some

# Label files that are read beforehand, to say early what is wrong with them.
_LOOKED_AT = 200

Source = str | Sequence[str]


def detect(root: Path) -> bool:
    """Tell whether a folder or archive without data.yaml holds YOLO's label files."""
    try:
        sources = find_sources(root)
        return is_file(root / "classes.txt") and has_label_files(root, sources)
    except (OSError, DataError):
        return False


def read(
    root: Path,
    *,
    train: Source | None = None,
    val: Source | None = None,
    test: Source | None = None,
    names: Sequence[str] | Mapping[int, str] | None = None,
    unlabelled: str = "background",
) -> Layout:
    """Read YOLO's label files.

    Larger areas are painted first and smaller ones over them; of equal ones the line further up
    is first. A line of five numbers is a box and filled as one.

    Args:
        root: Folder or archive.
        train: Folder of pictures, .txt list of them, or a list of those; found if none is given.
        val: Likewise.
        test: Likewise.
        names: Class names, or lines `number: name`; read from classes.txt if not given.
        unlabelled: What pixels are that no object covers: `background` or `ignore`.

    Raises:
        UsageError: `unlabelled` is neither of the two.
        DataError: Something named is missing, or a label file is malformed.
    """
    given = {"train": train, "val": val, "test": test}
    sources: dict[str, Any] = {split: source for split, source in given.items() if source}
    sources = sources or find_sources(root)
    if not sources:
        msg = f"{root}: names no split, and there is no folder images; add train: to data.yaml"
        raise DataError(msg)
    declared = declare_shape_classes(
        _read_names(root, names), f"{root}: names", unlabelled=unlabelled
    )
    numbers = frozenset(declared.by_name.values())
    masks = YoloMasks(declared.classes, numbers, declared.background)
    layout = Layout("YOLO labels, " + ", ".join(map(str, sources.values())), masks=masks)
    for split, source in sources.items():
        pictures = read_source(root, source, f"{root}: {split or 'images'}")
        layout.splits[split] = _label(
            pictures, root, split or "all", layout.notes, counts=unlabelled != "ignore"
        )
    if not any(item.mask_path for items in layout.splits.values() for item in items):
        msg = f"{root}: no picture has a label file; images/a.jpg needs labels/a.txt"
        raise DataError(msg)
    layout.notes += ["painted: larger areas first, smaller ones over them, then by line"]
    layout.notes += _look_at(layout, masks)
    if "" in layout.splits:
        layout.pool = layout.splits.pop("")
    return layout


def _label(
    pictures: Mapping[str, Path], root: Path, split: str, notes: list[str], *, counts: bool
) -> tuple[Item, ...]:
    """Give every picture its label file; pictures without are background or left out."""
    files = {name: label_path(picture, root) for name, picture in pictures.items()}
    there = {name for name, path in files.items() if is_file(path)}
    if not there:
        notes.append(f"{split}: its {len(pictures)} images have no labels")
        return tuple(Item(name, picture, None, name) for name, picture in pictures.items())
    # With `ignore`, an empty file teaches as little as none.
    full = there if counts else {name for name in there if file_size(files[name])}
    bare = sorted(set(pictures) - full)
    if bare:
        fate = "all background" if counts else "left out"
        notes.append(f"{split}: {len(bare)} images without labels, {fate}: {list_some(bare, 3)}")
    return tuple(
        Item(name, picture, files[name], name)
        for name, picture in pictures.items()
        if counts or name in full
    )


def _look_at(layout: Layout, masks: YoloMasks) -> list[str]:
    """Read some label files, and say what they hold besides outlines."""
    paths = [i.mask_path for items in layout.splits.values() for i in items if i.mask_path]
    seen = paths[:: max(1, len(paths) // _LOOKED_AT)]
    labels = [label for path in seen for label in masks.labels(path)]
    boxes = sum(label.is_box for label in labels)
    if not boxes:
        return []
    share = "all" if boxes == len(labels) else f"{boxes} of {len(labels)}"
    return [f"boxes: {share} labels in {len(seen)} files looked at are boxes, filled as such"]


def _read_names(root: Path, names: Any) -> dict[int, str]:
    path = root / "classes.txt"
    if names is None and is_file(path):
        names = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    if isinstance(names, Mapping):
        if not all(type(number) is int for number in names):
            msg = f"{root}: names must have lines `number: name`, not {list_some(names)}"
            raise DataError(msg)
        return {number: str(name) for number, name in sorted(names.items())}
    if not isinstance(names, list | tuple) or not names:
        msg = f"{root}: says no class names; add names: [...] to data.yaml, or classes.txt"
        raise DataError(msg)
    return {number: str(name) for number, name in enumerate(names)}


FORMAT = Format("yolo", "YOLO labels", detect, read)
