"""The content of a COCO annotation file, checked before anything relies on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segnext.data.formats.coco_rle import read_runs
from segnext.data.formats.json_files import read_json
from segnext.data.formats.shape_store import ShapeCollector
from segnext.errors import DataError, list_some


@dataclass(frozen=True)
class ListedPicture:
    """An entry of `images`.

    Attributes:
        file_name: As the file gives it: any path, of any machine.
        height: In pixels.
        width: In pixels.
    """

    file_name: str
    height: int
    width: int


@dataclass(frozen=True)
class CocoFile:
    """A checked annotation file.

    Attributes:
        path: Where it lies.
        categories: Name by id, sorted by id.
        headings: Ids of categories that others name as their supercategory.
        pictures: By id.
        annotations: As they stand in the file; `None` where it has none, as for test pictures.
    """

    path: Path
    categories: dict[int, str]
    headings: frozenset[int]
    pictures: dict[Any, ListedPicture]
    annotations: list[Any] | None


@dataclass
class Tally:
    """What was met among annotations.

    Attributes:
        used: Ids of categories with an annotation.
        boxes: Annotations that have a box and no outline.
        thin: Polygons of fewer than three points.
    """

    used: set[int] = field(default_factory=set)
    boxes: int = 0
    thin: int = 0


def read_coco(path: Path) -> CocoFile:
    """Read an annotation file and check all but its annotations.

    Raises:
        DataError: It is no such file, or its categories or images are malformed or contradictory.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        msg = f"{path}: is no COCO file, which holds images, annotations and categories"
        raise DataError(msg)
    categories, headings = _read_categories(_take_list(content, "categories", path), path)
    pictures = _read_pictures(_take_list(content, "images", path), path)
    annotations = _take_list(content, "annotations", path) if "annotations" in content else None
    return CocoFile(path, categories, headings, pictures, annotations)


def collect_annotations(
    file: CocoFile, numbers: Mapping[Any, int | None], shapes: ShapeCollector, tally: Tally
) -> None:
    """Add the shapes of an annotation file.

    Args:
        file: Its content.
        numbers: By id of the file's pictures, their number in `shapes`; `None` for those left out.
        shapes: Takes the shapes; their raw ids are the category ids.
        tally: Takes what was met.

    Raises:
        DataError: An annotation is malformed, or of an unknown picture or category.
    """
    for place, annotation in enumerate(file.annotations or ()):
        try:
            _collect(annotation, place, file, numbers, shapes, tally)
        except DataError as error:
            own = annotation.get("id", "?") if isinstance(annotation, dict) else "?"
            msg = f"{file.path}: annotation {own} (number {place + 1}): {error}"
            raise DataError(msg) from None


def _collect(
    annotation: Any,
    place: int,
    file: CocoFile,
    numbers: Mapping[Any, int | None],
    shapes: ShapeCollector,
    tally: Tally,
) -> None:
    if not isinstance(annotation, dict):
        msg = "must hold image_id, category_id and segmentation"
        raise DataError(msg)
    picture_id, category = annotation.get("image_id"), annotation.get("category_id")
    if not isinstance(picture_id, int | str) or picture_id not in numbers:
        msg = f"image_id {picture_id!r} is none of the images; add the image or remove it"
        raise DataError(msg)
    if not isinstance(category, int) or category not in file.categories:
        known = list_some(file.categories)
        msg = f"category_id {category!r} is none of the categories ({known}); declare it"
        raise DataError(msg)
    picture = numbers[picture_id]
    tally.used.add(category)
    if picture is None:
        return
    own = annotation.get("id")
    rank = own if isinstance(own, int) and abs(own) < 1 << 62 else place
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, dict):
        runs = read_runs(segmentation, *shapes.size(picture))
        shapes.add_runs(picture, category, rank, runs)
    elif not segmentation:
        shapes.add_rings(picture, category, rank, [_read_box(annotation.get("bbox"))])
        tally.boxes += 1
    elif isinstance(segmentation, list) and all(isinstance(ring, list) for ring in segmentation):
        rings = [ring for ring in segmentation if len(ring) >= 6]
        tally.thin += len(segmentation) - len(rings)
        shapes.add_rings(picture, category, rank, rings)
    else:
        msg = "segmentation must hold polygons, a list of numbers each, or run lengths"
        raise DataError(msg)


def _read_box(box: Any) -> list[float]:
    numbers = isinstance(box, list) and len(box) == 4
    if not numbers or not all(isinstance(value, int | float) for value in box):
        msg = f"has no segmentation, and its bbox is no x, y, width, height: {box!r}"
        raise DataError(msg)
    try:
        left, top, width, height = map(float, box)
    except OverflowError:
        msg = "its bbox is no position in a picture"
        raise DataError(msg) from None
    return [left, top, left + width, top, left + width, top + height, left, top + height]


def _take_list(content: Mapping[str, Any], key: str, path: Path) -> list[Any]:
    value = content.get(key)
    if not isinstance(value, list):
        msg = f"{path}: has no list of {key}, so it is no COCO file of instances"
        raise DataError(msg)
    if value and isinstance(value[0], dict) and "segments_info" in value[0]:
        msg = f"{path}: holds panoptic labels (segments_info), whose masks are PNG; use instances"
        raise DataError(msg)
    return value


def _read_categories(entries: list[Any], path: Path) -> tuple[dict[int, str], frozenset[int]]:
    categories: dict[int, str] = {}
    above: dict[str, set[int]] = {}
    for entry in entries:
        own = entry.get("id") if isinstance(entry, dict) else None
        name = entry.get("name") if isinstance(entry, dict) else None
        if type(own) is not int or not isinstance(name, str):
            msg = f"{path}: every category needs an id, a whole number, and a name, not {entry!r}"
            raise DataError(msg)
        if not 0 <= own <= 65535:
            msg = f"{path}: category {name} has the id {own}; masks hold ids from 0 to 65535"
            raise DataError(msg)
        if own in categories:
            msg = f"{path}: the category id {own} is given to {categories[own]} and to {name}"
            raise DataError(msg)
        categories[own] = name
        above.setdefault(str(entry.get("supercategory")), set()).add(own)
    if not categories:
        msg = f"{path}: declares no category"
        raise DataError(msg)
    headings = frozenset(own for own, name in categories.items() if above.get(name, set()) - {own})
    return dict(sorted(categories.items())), headings


def _read_pictures(entries: list[Any], path: Path) -> dict[Any, ListedPicture]:
    pictures: dict[Any, ListedPicture] = {}
    for entry in entries:
        own = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(own, int | str):
            msg = f"{path}: every image needs an id, not {entry!r:.200}"
            raise DataError(msg)
        if own in pictures:
            msg = f"{path}: the image id {own} is given twice; number images anew"
            raise DataError(msg)
        # LVIS gives the address only.
        name = entry.get("file_name") or entry.get("coco_url")
        height, width = entry.get("height"), entry.get("width")
        if not isinstance(name, str):
            msg = f"{path}: image {own} has no file_name"
            raise DataError(msg)
        if not isinstance(height, int) or not isinstance(width, int):
            msg = f"{path}: image {own} ({name}) needs height and width in pixels"
            raise DataError(msg)
        pictures[own] = ListedPicture(name, height, width)
    if not pictures:
        msg = f"{path}: lists no image"
        raise DataError(msg)
    return pictures
