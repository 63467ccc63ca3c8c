"""CVAT's "Segmentation mask 1.1": masks in the colours of a label map.

    export.zip, or its folder
        labelmap.txt                        label:r,g,b:parts:actions
        ImageSets/Segmentation/default.txt  or train.txt, val.txt and so on
        SegmentationClass/*.png
        SegmentationObject/*.png            instances; not read
        JPEGImages/*.jpg                    if exported with images

A mask may also be grey; its values are the places of the labels in labelmap.txt, from 0. A label
called background becomes class 0, wherever it stands and whatever its colour. Labels called void,
ignore or unlabeled count for nothing.
"""

import re
from pathlib import Path, PurePosixPath

from segnext.data.containers.paths import is_file, is_folder, list_folder, read_text
from segnext.data.formats.format import Format
from segnext.data.formats.json_files import read_head
from segnext.data.formats.mask_labels import MaskLabel, build_label_reader
from segnext.data.formats.picture_index import choose_folder
from segnext.data.formats.shape_layout import UNNAMED_SPLIT, name_split
from segnext.data.layout import Layout
from segnext.data.pairing import Item, keep_labelled, pair_folders, read_list, select_listed
from segnext.errors import DataError, list_some

_LABEL_MAP, _MASKS, _IMAGES = "labelmap.txt", "SegmentationClass", "JPEGImages"
_LISTS = PurePosixPath("ImageSets/Segmentation")
_LINE = re.compile(r"(?P<name>.+):(?P<color>[^:]*):[^:]*:[^:]*")
_COLOR = re.compile(r"\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*")


def detect(root: Path) -> bool:
    """Tell whether a folder or archive holds a label map beside SegmentationClass."""
    try:
        if not is_file(root / _LABEL_MAP) or not is_folder(root / _MASKS):
            return False
    except (OSError, DataError):
        return False
    lines = (line.strip() for line in read_head(root / _LABEL_MAP).splitlines())
    return any(_LINE.fullmatch(line) for line in lines if not line.startswith("#"))


def read(root: Path, *, images: str | None = None) -> Layout:
    """Read an export; see this module.

    Args:
        root: Folder or archive.
        images: Folder of the pictures below `root`, if it is not JPEGImages.

    Raises:
        DataError: A file is missing or malformed, a colour is not in the label map, or there are
            no pictures.
    """
    labels = read_label_map(root / _LABEL_MAP)
    if not is_folder(root / _MASKS):
        msg = f"{root}: has no folder {_MASKS}; export as Segmentation mask 1.1"
        raise DataError(msg)
    if images is None and not is_folder(root / _IMAGES):
        msg = (
            f"{root}: has no folder {_IMAGES}, for it was exported without images; export with "
            f"them, or put them inside and name their folder with options: images"
        )
        raise DataError(msg)
    folder = root / _IMAGES if images is None else choose_folder(root, images)
    layout = Layout("CVAT's segmentation masks")
    items = pair_folders(folder, root / _MASKS, layout.notes)
    splits = _read_splits(root, items, layout.notes)
    if set(splits) == {UNNAMED_SPLIT}:
        layout.pool = splits[UNNAMED_SPLIT]
    else:
        layout.splits = splits
    masks = [item.mask_path for part in splits.values() for item in part if item.mask_path]
    layout.masks, seen = build_label_reader(labels, masks, str(root / _LABEL_MAP))
    layout.notes += seen
    return layout


def read_label_map(path: Path) -> list[MaskLabel]:
    """Read a labelmap.txt: one label a line, whose value is its place.

    Raises:
        DataError: The file is missing, empty, or a line is malformed; names its number.
    """
    labels: list[MaskLabel] = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        color = _COLOR.fullmatch(match["color"]) if match else None
        if match is None or color is None or max(map(int, color.groups())) > 255:
            msg = (
                f"{path}, line {number}: {line.strip()!r} is no line of a label map; write "
                f"label:r,g,b:: with a colour from 0 to 255"
            )
            raise DataError(msg)
        red, green, blue = map(int, color.groups())
        labels.append(MaskLabel(len(labels), match["name"].strip(), (red, green, blue)))
    if not labels:
        msg = f"{path}: lists no label; export again"
        raise DataError(msg)
    return labels


def _read_splits(
    root: Path, items: tuple[Item, ...], notes: list[str]
) -> dict[str, tuple[Item, ...]]:
    folder = root / _LISTS
    lists = (
        [path for path in list_folder(folder) if path.suffix == ".txt"] if is_folder(folder) else []
    )
    if not lists:
        return {UNNAMED_SPLIT: keep_labelled(items, "all", notes)}
    splits: dict[str, tuple[Item, ...]] = {}
    for path in lists:
        split = name_split(path.stem)
        if split in splits:
            msg = f"{path}: another list is for {split} too; join them"
            raise DataError(msg)
        # Names with spaces are quoted.
        entries = [(line, text.strip('"')) for line, text in read_list(path)]
        splits[split] = keep_labelled(select_listed(items, entries, path), split, notes)
    unlisted = {item.name for item in items} - {i.name for part in splits.values() for i in part}
    if unlisted:
        notes.append(f"{len(unlisted)} pictures are in no list: {list_some(sorted(unlisted))}")
    return splits


FORMAT = Format("cvat_masks", "segmentation masks of CVAT", detect, read)
