"""Datumaro's "common_semantic_segmentation", which OpenVINO's tools read too.

    dataset/
        dataset_meta.json
        images/*.png        or train/images and so on, with dataset_meta.json above or in each
        masks/*.png

    {"label_map": {"0": "background", "1": "car"}, "segmentation_colors": [[0, 0, 0], [255, 0, 0]]}

Masks are drawn in `segmentation_colors` (red, green, blue; one a label, in the order of the ids),
or hold the ids. `labels`, a list, may stand for `label_map`. `background_label` changes nothing:
the label of that id is a class like others. Labels called void, ignore or unlabeled count for
nothing.
"""

import re
from pathlib import Path
from typing import Any

from segnext.classes import Color
from segnext.data.containers.paths import is_file
from segnext.data.formats.format import Format
from segnext.data.formats.json_files import read_head, read_json
from segnext.data.formats.mask_labels import MaskLabel, build_label_reader
from segnext.data.formats.mask_pictures import holds_mask_pictures
from segnext.data.layout import Layout, find_layout, find_split_folders
from segnext.errors import DataError

_META = "dataset_meta.json"
_LABELS = re.compile(r'"(label_map|segmentation_colors)"\s*:|"labels"\s*:\s*\[')


def detect(root: Path) -> bool:
    """Tell whether a folder or archive, or a split of it, has a dataset_meta.json of labels."""
    try:
        heads = [read_head(path) for path in _find_metas(root)]
        return any(_LABELS.search(head) for head in heads) and holds_mask_pictures(root)
    except (OSError, DataError):
        return False


def read(root: Path) -> Layout:
    """Read a data set; see this module.

    Args:
        root: Folder or archive.

    Raises:
        DataError: A file is missing or malformed, or images and masks do not pair.
    """
    metas = _find_metas(root)
    if not metas:
        msg = f"{root}: holds no {_META}; export as common_semantic_segmentation"
        raise DataError(msg)
    labels = read_meta(metas[0])
    for path in metas[1:]:
        if read_meta(path) != labels:
            msg = f"{path}: lists other labels than {metas[0]}; export all subsets at once"
            raise DataError(msg)
    layout = find_layout(root)
    items = [*layout.pool, *(item for part in layout.splits.values() for item in part)]
    masks = [item.mask_path for item in items if item.mask_path]
    if not masks:
        msg = f"{root}: there are images but no masks; put them in the folder masks"
        raise DataError(msg)
    layout.masks, seen = build_label_reader(labels, masks, str(metas[0]))
    layout.description = f"Datumaro's common semantic segmentation, {layout.description}"
    layout.notes += seen
    return layout


def read_meta(path: Path) -> list[MaskLabel]:
    """Read the labels of a dataset_meta.json.

    Raises:
        DataError: The file is missing or malformed, or has not one colour for each label.
    """
    content = read_json(path)
    names = _read_names(content if isinstance(content, dict) else {}, path)
    colors = content.get("segmentation_colors") or []
    if not colors:
        return [MaskLabel(value, name) for value, name in names.items()]
    if not isinstance(colors, list) or len(colors) != len(names):
        msg = f"{path}: segmentation_colors must list {len(names)} colours, one for each label"
        raise DataError(msg)
    return [
        MaskLabel(value, name, _read_color(color, path))
        for (value, name), color in zip(names.items(), colors, strict=True)
    ]


def _read_names(content: dict[str, Any], path: Path) -> dict[int, str]:
    """Return the names by id, sorted by id."""
    listed = content.get("label_map") or content.get("labels")
    if isinstance(listed, list):
        listed = dict(enumerate(listed))
    if not isinstance(listed, dict) or not all(isinstance(name, str) for name in listed.values()):
        msg = f'{path}: must hold label_map, such as {{"0": "background", "1": "car"}}'
        raise DataError(msg)
    names: dict[int, str] = {}
    for key, name in listed.items():
        value = int(key) if str(key).isdecimal() and len(str(key)) < 6 else -1
        if not 0 <= value <= 65535 or value in names:
            msg = f"{path}: label_map: {key!r} is no id of its own from 0 to 65535"
            raise DataError(msg)
        names[value] = name
    return dict(sorted(names.items()))


def _read_color(value: Any, path: Path) -> Color:
    right = isinstance(value, list) and len(value) == 3
    if not right or not all(type(part) is int and 0 <= part <= 255 for part in value):
        msg = f"{path}: segmentation_colors: {value!r} is no colour from 0 to 255"
        raise DataError(msg)
    return value[0], value[1], value[2]


def _find_metas(root: Path) -> list[Path]:
    if is_file(root / _META):
        return [root / _META]
    splits = find_split_folders(root).values()
    return [path / _META for path in splits if is_file(path / _META)]


FORMAT = Format("datumaro_masks", "common semantic segmentation of Datumaro", detect, read)
