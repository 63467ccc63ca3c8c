"""Datumaro's own JSON: polygons, bitmaps, boxes and ellipses of each subset.

    dataset/
        annotations/train.json      default.json where nobody named subsets
        images/train/a.jpg          or anywhere else below

Shapes are painted by their `z_order`, then in the order of the file. Raw ids are the places of the
labels in `categories`. Boxes and ellipses turn clockwise about their centre by the attribute
`rotation`, as CVAT exports them. Annotations of other types cover no area and are skipped.
"""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from segnext.classes import Color
from segnext.data.containers.paths import is_folder, list_folder
from segnext.data.formats.coco_rle import read_runs
from segnext.data.formats.format import Format
from segnext.data.formats.json_files import read_head, read_json
from segnext.data.formats.picture_index import PictureIndex
from segnext.data.formats.shape_classes import ShapeClasses, declare_shape_classes
from segnext.data.formats.shape_layout import (
    LabelledPicture,
    build_shape_layout,
    describe_skipped,
    read_numbers,
    read_size,
)
from segnext.data.headers import image_header
from segnext.data.images import IMAGE_SUFFIXES
from segnext.data.layout import Layout
from segnext.data.shapes import Area, Ellipse, Polygon, Shape, build_box, build_ring, turn_ring
from segnext.errors import DataError

_FOLDER = "annotations"
# In COCO's files categories are a list.
_CATEGORIES = re.compile(r'"categories"\s*:\s*\{\s*("label"|"mask"|"points"|\})')
_WITH_AREA = frozenset({"polygon", "mask", "bbox", "ellipse"})


def detect(root: Path) -> bool:
    """Tell whether a file in the folder annotations looks like Datumaro's."""
    try:
        return any(_CATEGORIES.search(read_head(path)) for path in _find_files(root)[:8])
    except (OSError, DataError):
        return False


def read(root: Path, *, unlabelled: str = "background", images: str | None = None) -> Layout:
    """Read a data set; see this module.

    Args:
        root: Folder or archive.
        unlabelled: What pixels are that no shape covers: `background` or `ignore`.
        images: Folder of the pictures below `root`; the whole of it if not given.

    Raises:
        DataError: A file is missing or malformed, subsets have different labels, or a picture is
            not there.
        UsageError: An option is out of range.
    """
    files = _find_files(root)
    if not files:
        msg = f"{root}: holds no {_FOLDER}/*.json; export in Datumaro's format"
        raise DataError(msg)
    index = PictureIndex(root, images)
    labels: list[str] = []
    skipped: Counter[str] = Counter()
    pictures: list[LabelledPicture] = []
    declared: ShapeClasses | None = None
    for path in files:
        content = _read_file(path)
        found = _read_labels(content, path)
        if declared is None:
            labels, colors = found, _read_colors(content, found)
            names = dict(enumerate(labels))
            declared = declare_shape_classes(names, str(path), unlabelled=unlabelled, colors=colors)
        elif found != labels:
            msg = f"{path}: has other labels than {files[0]}; export all subsets at once"
            raise DataError(msg)
        for number, item in enumerate(content["items"]):
            where = f"{path}: item {item.get('id', number)!r}"
            pictures.append(_read_item(item, path, index, declared, skipped, where))
    assert declared is not None
    notes = describe_skipped(skipped)
    return build_shape_layout("Datumaro's JSON", pictures, index, declared, notes)


def _find_files(root: Path) -> list[Path]:
    folder = root / _FOLDER
    if not is_folder(folder):
        return []
    return [path for path in list_folder(folder) if path.suffix.lower() == ".json"]


def _read_file(path: Path) -> dict[str, Any]:
    content = read_json(path)
    items = content.get("items") if isinstance(content, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        msg = f"{path}: must hold categories and a list of items, as Datumaro writes them"
        raise DataError(msg)
    whole: dict[str, Any] = content
    return whole


def _read_labels(content: Mapping[str, Any], path: Path) -> list[str]:
    try:
        labels = [label["name"] for label in content["categories"]["label"]["labels"]]
    except (KeyError, TypeError):
        labels = []
    if not labels or not all(isinstance(name, str) for name in labels):
        msg = f"{path}: categories lists no labels; export again"
        raise DataError(msg)
    return labels


def _read_colors(content: Mapping[str, Any], labels: list[str]) -> dict[str, Color]:
    """Return the colours of the labels, which only pictures for people need."""
    try:
        entries = content["categories"]["mask"]["colormap"]
        colors = {labels[e["label_id"]]: (e["r"], e["g"], e["b"]) for e in entries}
    except (KeyError, TypeError, IndexError):
        return {}
    right = all(
        type(part) is int and 0 <= part <= 255 for color in colors.values() for part in color
    )
    return colors if right else {}


def _read_item(
    item: Mapping[str, Any],
    source: Path,
    index: PictureIndex,
    declared: ShapeClasses,
    skipped: Counter[str],
    where: str,
) -> LabelledPicture:
    told = (item.get(key) for key in ("image", "media"))
    media: Mapping[str, Any] = next((value for value in told if isinstance(value, dict)), {})
    name = str(item.get("id", ""))
    suffix = PurePosixPath(str(media.get("path", ""))).suffix
    suffix = suffix if suffix.lower() in IMAGE_SUFFIXES else ""
    picture = index.find(f"{source.stem}/{name}{suffix}", where)
    size = media.get("size")
    if isinstance(size, list) and len(size) == 2:
        height, width = read_size(size[0], size[1], where)
    else:
        header = image_header(picture)
        height, width = header.height, header.width
    annotations = item.get("annotations") or []
    if not isinstance(annotations, list) or not all(isinstance(a, dict) for a in annotations):
        msg = f"{where}: its annotations are malformed; export again"
        raise DataError(msg)
    layers: list[tuple[float, Shape]] = []
    for number, annotation in enumerate(annotations):
        place = f"{where}, annotation {annotation.get('id', number)}"
        kind = str(annotation.get("type"))
        if kind not in _WITH_AREA:
            skipped[kind] += 1
        elif annotation.get("label_id") is None:
            skipped[f"{kind} without a label"] += 1
        else:
            raw_id = _read_label_id(annotation["label_id"], declared, place)
            (z_order,) = read_numbers({"z_order": 0} | dict(annotation), ["z_order"], place)
            layers.append((z_order, Shape(raw_id, _read_area(annotation, height, width, place))))
    # Sorting is stable: the order of the file decides what z_order leaves open.
    layers.sort(key=lambda layer: layer[0])
    shapes = tuple(shape for _, shape in layers)
    return LabelledPicture(picture, source, shapes, (height, width), source.stem)


def _read_label_id(value: Any, declared: ShapeClasses, where: str) -> int:
    if type(value) is not int or value not in declared.by_name.values():
        last = len(declared.by_name) - 1
        msg = f"{where}: label_id {value!r} is none of the labels 0 to {last} of categories"
        raise DataError(msg)
    return value


def _read_area(annotation: Mapping[str, Any], height: int, width: int, where: str) -> Area:
    kind = annotation["type"]
    if kind == "mask":
        try:
            runs = annotation.get("rle")
            return read_runs(runs if isinstance(runs, dict) else {}, height, width)
        except DataError as error:
            msg = f"{where}: {error}"
            raise DataError(msg) from None
    values = annotation.get("bbox" if kind == "bbox" else "points")
    if not isinstance(values, list):
        msg = f"{where}: a {kind} must list its numbers, not {values!r}"
        raise DataError(msg)
    if kind == "polygon":
        return Polygon((build_ring(zip(values[::2], values[1::2], strict=True), where),))
    first, second, third, fourth = read_numbers(
        dict(zip("1234", values, strict=False)), "1234", where
    )
    attributes = annotation.get("attributes")
    turned = {"rotation": 0} | (attributes if isinstance(attributes, dict) else {})
    (degrees,) = read_numbers(turned, ["rotation"], where)
    if kind == "ellipse":
        x, y = (first + third) / 2, (second + fourth) / 2
        return Ellipse(x, y, abs(third - first) / 2, abs(fourth - second) / 2, degrees)
    box = build_box(first, second, first + third, second + fourth)
    if not degrees:
        return box
    pivot = first + third / 2, second + fourth / 2
    return Polygon((turn_ring(box.rings[0], *pivot, degrees),))


FORMAT = Format("datumaro", "Datumaro's JSON", detect, read)
