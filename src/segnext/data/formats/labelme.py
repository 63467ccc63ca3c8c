"""LabelMe: one JSON for each picture.

    flowers/                     flowers/                 flowers/
      a.jpg                        train/                   images/a.jpg
      a.json                         a.jpg, a.json          labels/a.json
                                   val/

Sub-folders called train, val or test (and the usual synonyms) are splits, wherever they stand.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from segnext.classes import BACKGROUND
from segnext.data.containers.paths import is_file, list_folder, walk_files
from segnext.data.formats.format import Format
from segnext.data.formats.json_files import read_head, read_json
from segnext.data.formats.labelme_shapes import LabelledArea, read_areas
from segnext.data.formats.mask_pictures import holds_mask_pictures
from segnext.data.formats.picture_index import PictureIndex
from segnext.data.formats.shape_classes import ShapeClasses, declare_shape_classes
from segnext.data.formats.shape_layout import (
    UNNAMED_SPLIT,
    LabelledPicture,
    build_shape_layout,
    describe_skipped,
    read_size,
)
from segnext.data.images import IMAGE_SUFFIXES
from segnext.data.layout import IMAGE_FOLDERS, MASK_FOLDERS, Layout, find_folder, find_split_folders
from segnext.data.shapes import Shape
from segnext.data.split_names import standard_split
from segnext.errors import DataError, UsageError, list_some

# How LabelMe itself names what does not count, and what no shape covers.
_IGNORED = "__ignore__"
_OWN_BACKGROUND = "_background_"
# Files of a folder that detection looks into; the first may be something else.
_LOOKED_AT = 3


@dataclass(frozen=True)
class _File:
    """What the annotation file of one picture says."""

    path: Path
    picture: Path
    size: tuple[int, int] | None
    areas: tuple[LabelledArea, ...]
    split: str


def detect(root: Path) -> bool:
    """Tell whether a folder or archive holds LabelMe files, and no masks as pictures."""
    try:
        return not holds_mask_pictures(root) and any(map(_looks_right, _some_files(root)))
    except (OSError, DataError):
        return False


def read(
    root: Path, *, unlabelled: str = "background", classes: Sequence[str] | None = None
) -> Layout:
    """Read LabelMe files.

    Shapes are painted in the order of the file: what was drawn later lies above. Polygons,
    rectangles, circles and masks have an area; points and lines are skipped. Pixels of a shape
    labelled `__ignore__` count for nothing; `_background_` is the background.

    Args:
        root: Folder or archive.
        unlabelled: What pixels are that no shape covers: `background` or `ignore`.
        classes: Labels in the order of their ids; those found, by the alphabet, if not given.

    Raises:
        UsageError: An option has no such value.
        DataError: A file is malformed, its picture is missing, or a label is none of `classes`.
    """
    index = PictureIndex(root)
    skipped: Counter[str] = Counter()
    notes: list[str] = []
    files = [*_read_files(root, index, skipped, notes)]
    if not files:
        msg = f"{root}: holds no LabelMe file, a JSON with shapes for each picture"
        raise DataError(msg)
    declared = _declare(files, classes, unlabelled, notes)
    pictures = [
        LabelledPicture(
            file.picture,
            file.path,
            tuple(Shape(declared.by_name[area.label], area.area) for area in file.areas),
            file.size,
            file.split,
        )
        for file in files
    ]
    notes += ["painted: in the order of each file", *describe_skipped(skipped)]
    return build_shape_layout("LabelMe JSON", pictures, index, declared, notes)


def _read_files(
    root: Path, index: PictureIndex, skipped: Counter[str], notes: list[str]
) -> Iterator[_File]:
    others = []
    for path in walk_files(root):
        if path.suffix.lower() != ".json":
            continue
        content = read_json(path)
        if not isinstance(content, dict) or not isinstance(content.get("shapes"), list):
            others.append(path.relative_to(root).as_posix())
            continue
        split = _split_of(path, root)
        name = content.get("imagePath")
        picture = _find_picture(path, name if isinstance(name, str) else "", root, index, content)
        if _split_of(picture, root) not in (split, UNNAMED_SPLIT):
            msg = f"{path}: its picture is missing there; {picture} is of another split"
            raise DataError(msg)
        size = (content.get("imageHeight"), content.get("imageWidth"))
        areas = read_areas(content["shapes"], path, skipped)
        yield _File(
            path,
            picture,
            None if None in size else read_size(*size, str(path)),
            tuple(areas),
            split,
        )
    if others:
        notes.append(f"{len(others)} JSON files have no shapes: passed over: {list_some(others)}")


def _find_picture(
    path: Path, name: str, root: Path, index: PictureIndex, content: dict[str, object]
) -> Path:
    """Find the picture of a file: beside it, or where folders are named alike."""
    beside = path.parent / (name.replace("\\", "/").rsplit("/", 1)[-1] or path.name)
    if beside.suffix.lower() in IMAGE_SUFFIXES and is_file(beside):
        return beside
    folder = path.relative_to(root).parent
    spellings = [(folder / text).as_posix() for text in (name, path.stem) if text]
    try:
        return index.find(spellings[0], str(path), spellings[1:])
    except DataError:
        if not isinstance(content.get("imageData"), str):
            raise
    msg = (
        f"{path}: its picture {name or path.stem} is inside the JSON only (imageData), and "
        f"pictures are not read from there; export the pictures as files beside the JSON"
    )
    raise DataError(msg)


def _declare(
    files: Sequence[_File], told: Sequence[str] | None, unlabelled: str, notes: list[str]
) -> ShapeClasses:
    found = {area.label: file.path for file in files for area in file.areas}
    labels = sorted(set(found) - {_IGNORED})
    if told is not None:
        if isinstance(told, str) or not all(isinstance(name, str) for name in told):
            msg = f"classes must be a list of labels, not {told!r}"
            raise UsageError(msg)
        strange = next((label for label in labels if label not in told), None)
        if strange is not None:
            msg = (
                f"{found[strange]}: the label {strange!r} is none of the classes that options: "
                f"classes lists ({list_some(told)}); add it, or {_IGNORED} to leave it out"
            )
            raise DataError(msg)
        labels = [*told]
    elif labels:
        notes.append(
            "classes by the alphabet; options: {classes: [...]} gives another order: "
            + list_some(labels)
        )
    names = {
        raw: BACKGROUND if label == _OWN_BACKGROUND else label
        for raw, label in enumerate(labels, 1)
    }
    void = len(labels) + 1
    declared = declare_shape_classes(
        names, str(files[0].path.parent), unlabelled=unlabelled, void=(void,)
    )
    by_name = {label: raw for raw, label in enumerate(labels, 1)} | {_IGNORED: void}
    return ShapeClasses(declared.classes, declared.background, by_name)


def _split_of(path: Path, root: Path) -> str:
    folders = path.relative_to(root).parts[:-1]
    return next((split for folder in folders if (split := standard_split(folder))), UNNAMED_SPLIT)


def _some_files(root: Path) -> Iterator[Path]:
    for parent in (root, *find_split_folders(root).values()):
        inner = [find_folder(parent, (name,)) for name in (*IMAGE_FOLDERS, *MASK_FOLDERS, "json")]
        for folder in (parent, *inner):
            if folder is not None:
                files = (path for path in list_folder(folder) if path.suffix.lower() == ".json")
                yield from (path for path, _ in zip(files, range(_LOOKED_AT), strict=False))


def _looks_right(path: Path) -> bool:
    head = read_head(path)
    # Some tools sort the keys, so that the picture comes before the shapes and fills the head.
    inside = re.search(r'"shapes"\s*:\s*\[', head) or re.search(r'"imageData"\s*:\s*"', head)
    known = any(f'"{key}"' in head for key in ("imagePath", "imageData", "flags"))
    return head.lstrip().startswith("{") and bool(inside) and known


FORMAT = Format("labelme", "LabelMe", detect, read)
