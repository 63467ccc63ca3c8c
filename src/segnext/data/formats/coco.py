"""COCO's annotation files: polygons and run lengths in one JSON for each split.

    coco/                                  roboflow/
      annotations/                           train/
        instances_train2017.json               _annotations.coco.json
        instances_val2017.json                 a.jpg
      train2017/000000000009.jpg             valid/
      val2017/000000000139.jpg                 ...

and likewise `images/train2017`, `annotations/instances_default.json` beside `images` (CVAT),
`result.json` beside `images` (Label Studio), `labels.json` beside `data` (FiftyOne), LVIS.
"""

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from segnext.data.containers.paths import is_file
from segnext.data.formats.coco_files import (
    describe_missing,
    find_annotation_files,
    find_pictures,
    split_of,
)
from segnext.data.formats.coco_json import CocoFile, Tally, collect_annotations, read_coco
from segnext.data.formats.format import Format
from segnext.data.formats.inner_paths import inner_path
from segnext.data.formats.mask_pictures import holds_mask_pictures
from segnext.data.formats.picture_index import choose_folder
from segnext.data.formats.shape_classes import declare_shape_classes
from segnext.data.formats.shape_store import ShapeCollector
from segnext.data.layout import Layout
from segnext.data.pairing import Item
from segnext.data.shape_masks import ShapeMasks
from segnext.errors import DataError, UsageError, describe_unknown, list_some

_MISSING = ("error", "skip")


def detect(root: Path) -> bool:
    """Tell whether a folder or archive holds COCO annotation files, and no masks as pictures."""
    try:
        return not holds_mask_pictures(root) and bool(find_annotation_files(root))
    except (OSError, DataError):
        return False


def read(
    root: Path,
    *,
    unlabelled: str = "background",
    annotations: str | Mapping[str, str] | None = None,
    images: str | Mapping[str, str] | None = None,
    missing: str = "error",
) -> Layout:
    """Read COCO annotation files.

    Larger areas are painted first and smaller ones over them, whatever `area` the file states; of
    equal ones the lower annotation id is first. Polygons of one annotation are joined.

    Args:
        root: Folder or archive.
        unlabelled: What pixels are that no annotation covers: `background` or `ignore`.
        annotations: Annotation file, or one by split, relative to `root`; found if not given.
        images: Folder of the pictures, or one by split, relative to `root`; found if not given.
        missing: What to do about listed pictures that are not there: `error` or `skip`.

    Raises:
        UsageError: An option has no such value.
        DataError: A file is missing, malformed, or contradicts another.
    """
    if missing not in _MISSING:
        raise UsageError(describe_unknown("value of missing", str(missing), _MISSING))
    files = _choose_files(root, annotations)
    collector, tally = ShapeCollector(), Tally()
    layout = Layout(
        "COCO JSON, " + ", ".join(path.relative_to(root).as_posix() for path in files.values())
    )
    parts: dict[str, list[Item]] = {}
    first: CocoFile | None = None
    headings: set[int] = set()
    read_before: dict[Path, list[Item]] = {}
    for split, path in files.items():
        if path in read_before:
            parts[split] = read_before[path]
            continue
        file = read_coco(path)
        _check_categories(first or file, file)
        first = first or file
        headings |= file.headings
        folder = _choose_images(root, images, split)
        parts[split] = read_before[path] = _add_file(
            file, root, split, folder, collector, tally, layout.notes, skip=missing == "skip"
        )
    assert first is not None
    names = _name_classes(first.categories, headings - tally.used, layout.notes)
    declared = declare_shape_classes(names, str(first.path), unlabelled=unlabelled)
    stored = collector.finish()
    _describe(tally, layout.notes)
    _arrange(layout, parts, stored.without_shapes(), leave_out=unlabelled == "ignore")
    layout.masks = ShapeMasks(declared.classes, stored, declared.background)
    return layout


def _arrange(
    layout: Layout, parts: Mapping[str, list[Item]], empty: Set[str], *, leave_out: bool
) -> None:
    """Put the items into their splits, and say what becomes of those without annotations."""
    for split, items in parts.items():
        bare = {item.name for item in items if item.mask_path} & empty
        if bare:
            fate = "left out" if leave_out else "all background"
            layout.notes.append(
                f"{_label(split)}: {len(bare)} pictures without annotations, {fate}: "
                f"{list_some(sorted(bare), 3)}"
            )
        kept = [item for item in items if not (leave_out and item.name in bare)]
        layout.splits[split] = tuple(sorted(kept, key=lambda item: item.name))
    if set(layout.splits) == {""}:
        layout.pool = layout.splits.pop("")


def _add_file(
    file: CocoFile,
    root: Path,
    split: str,
    images: Path | None,
    collector: ShapeCollector,
    tally: Tally,
    notes: list[str],
    *,
    skip: bool,
) -> list[Item]:
    """Add the pictures and shapes of a file, and return its items."""
    by_name: dict[str, Any] = {}
    for own, picture in file.pictures.items():
        if picture.file_name in by_name:
            msg = (
                f"{file.path}: images {by_name[picture.file_name]} and {own} are both "
                f"{picture.file_name}; remove one of them"
            )
            raise DataError(msg)
        by_name[picture.file_name] = own
    found = find_pictures(file.path, root, split, by_name, images)
    absent = [name for name in by_name if name not in found.by_name]
    if absent:
        said = describe_missing(file.path, found.folder, absent)
        if not skip:
            msg = f"{said}; add them, or go on without by options: {{missing: skip}}"
            raise DataError(msg)
        notes.append(f"{said}; skipped")
    numbers: dict[Any, int | None] = dict.fromkeys(file.pictures)
    items: dict[Path, Item] = {}
    for name, path in found.by_name.items():
        inner = path.relative_to(root).with_suffix("").as_posix()
        if inner in collector:
            msg = (
                f"{file.path}: the picture {inner} ({name}) is listed twice, here or in another "
                f"annotation file; choose files with options: {{annotations: {{train: FILE}}}}"
            )
            raise DataError(msg)
        picture = file.pictures[by_name[name]]
        try:
            number = collector.add_picture(inner, picture.height, picture.width)
        except DataError as error:
            msg = f"{file.path}: image {by_name[name]} ({name}): {error}"
            raise DataError(msg) from None
        numbers[by_name[name]] = number
        labels = file.path if file.annotations is not None else None
        items[path] = Item(inner, path, labels, inner)
    if file.annotations is None:
        notes.append(f"{_label(split)}: {file.path.name} has no annotations, so no masks")
    collect_annotations(file, numbers, collector, tally)
    if found.others and found.folder != root:
        names = list_some((path.relative_to(root).as_posix() for path in found.others), 3)
        notes.append(f"{len(found.others)} pictures are not in {file.path.name}: {names}")
    return [*items.values()]


def _choose_files(root: Path, told: str | Mapping[str, str] | None) -> dict[str, Path]:
    if told is None:
        files = find_annotation_files(root)
        if not files:
            msg = (
                f"{root}: holds no COCO annotations; looked for annotations/instances_*.json, "
                f"train/_annotations.coco.json and the like; name them with options: annotations"
            )
            raise DataError(msg)
        return files
    where = f"{root}: options: annotations"
    if isinstance(told, Mapping):
        files = {str(split): root / inner_path(text, where) for split, text in told.items()}
    else:
        path = root / inner_path(told, where)
        files = {split_of(path, root): path}
    absent = next((path for path in files.values() if not is_file(path)), None)
    if absent or not files:
        msg = f"{where}: there is no file {absent or told}"
        raise DataError(msg)
    return files


def _choose_images(root: Path, told: str | Mapping[str, str] | None, split: str) -> Path | None:
    text = told.get(split) if isinstance(told, Mapping) else told
    return None if text is None else choose_folder(root, text)


def _check_categories(first: CocoFile, other: CocoFile) -> None:
    for own in sorted({*first.categories, *other.categories}):
        one, two = first.categories.get(own), other.categories.get(own)
        if one != two:
            msg = (
                f"{other.path}: category {own} is {two or 'missing'}, but in {first.path} it is "
                f"{one or 'missing'}; give all files the same categories"
            )
            raise DataError(msg)


def _name_classes(
    categories: Mapping[int, str], headings: set[int], notes: list[str]
) -> dict[int, str]:
    if headings:
        names = list_some(categories[own] for own in sorted(headings))
        notes.append(f"categories that only group others are no classes: {names}")
    return {own: name for own, name in categories.items() if own not in headings}


def _describe(tally: Tally, notes: list[str]) -> None:
    notes.append("painted: larger areas first, smaller ones over them, then by annotation id")
    if tally.boxes:
        notes.append(f"{tally.boxes} annotations have no outline: their boxes are filled")
    if tally.thin:
        notes.append(f"{tally.thin} polygons of fewer than three points cover nothing: left out")


def _label(split: str) -> str:
    return split or "all"


FORMAT = Format("coco", "COCO JSON", detect, read)
