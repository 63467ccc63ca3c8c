"""From pictures with labelled shapes to a layout, the same way for every annotation file."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segnext.data.formats.picture_index import PictureIndex
from segnext.data.formats.shape_classes import ShapeClasses
from segnext.data.headers import MAX_PIXELS, image_header
from segnext.data.layout import Layout
from segnext.data.pairing import Item
from segnext.data.shape_masks import Annotation, ShapeMasks
from segnext.data.shapes import Shape
from segnext.data.split_names import split_order, standard_split
from segnext.errors import DataError, list_some

# What annotation tools call a subset that nobody named.
UNNAMED_SPLIT = "default"


@dataclass(frozen=True)
class LabelledPicture:
    """What an annotation file says about a picture.

    Attributes:
        path: The picture.
        source: The annotation file.
        shapes: In the order of painting.
        size: Height and width in pixels, upright; `None` where the file does not say.
        split: As the file calls it.
    """

    path: Path
    source: Path
    shapes: tuple[Shape, ...]
    size: tuple[int, int] | None
    split: str = UNNAMED_SPLIT


def build_shape_layout(
    description: str,
    pictures: Sequence[LabelledPicture],
    index: PictureIndex,
    declared: ShapeClasses,
    notes: Sequence[str],
) -> Layout:
    """Build the layout of pictures with shapes.

    Pictures without any shape are background throughout; where that does not count, they teach
    nothing and are left out.

    Args:
        description: Of the format, for the user.
        pictures: All that are annotated.
        index: Where they were found.
        declared: Their classes.
        notes: What is odd, a line each.

    Raises:
        DataError: There is no picture, one is annotated twice, or a size is missing and cannot
            be read from the picture.
    """
    said = list(notes)
    counts = dict(declared.classes.raw_to_train)[declared.background] is not None
    empty = [index.name(picture.path) for picture in pictures if not picture.shapes]
    if empty:
        fate = "background throughout" if counts else "left out, for unlabelled pixels are ignored"
        said.append(f"{len(empty)} pictures without a shape: {fate}: {list_some(empty)}")
    kept = [picture for picture in pictures if picture.shapes or counts]
    if not kept:
        msg = f"{index.folder}: no picture has a labelled area; label some and export again"
        raise DataError(msg)
    seen = {index.name(picture.path) for picture in pictures}
    if len(index) > len(seen):
        said.append(f"{len(index) - len(seen)} pictures that the annotations do not name: left out")
    splits: dict[str, list[Item]] = {}
    annotations: dict[str, Annotation] = {}
    for picture in kept:
        name = index.name(picture.path)
        if name in annotations:
            msg = f"{picture.source}: the picture {name} is annotated twice; remove one of them"
            raise DataError(msg)
        annotations[name] = Annotation(picture.shapes, *(picture.size or _measure(picture.path)))
        item = Item(name, picture.path, picture.source, name)
        splits.setdefault(name_split(picture.split), []).append(item)
    ordered = {
        split: tuple(sorted(items, key=lambda item: item.name)) for split, items in splits.items()
    }
    layout = Layout(
        description,
        notes=said,
        masks=ShapeMasks(declared.classes, annotations, declared.background),
    )
    if set(ordered) == {UNNAMED_SPLIT}:
        layout.pool = ordered[UNNAMED_SPLIT]
    else:
        layout.splits = {split: ordered[split] for split in sorted(ordered, key=split_order)}
    return layout


def name_split(name: str) -> str:
    """Return train, val or test for the usual names of a split; others stay as they are."""
    return standard_split(name) or name or UNNAMED_SPLIT


def read_size(height: Any, width: Any, where: str) -> tuple[int, int]:
    """Check the size of a picture before anything is painted on it.

    Args:
        height: In pixels, as the file says.
        width: In pixels, as the file says.
        where: The file and the place in it, for messages.

    Raises:
        DataError: It is no size of a picture.
    """
    try:
        size = int(height), int(width)
    except (TypeError, ValueError, OverflowError):
        size = 0, 0
    if min(size) < 1 or size[0] * size[1] > MAX_PIXELS:
        msg = f"{where}: {width} x {height} is no size of a picture"
        raise DataError(msg)
    return size


def read_numbers(values: Mapping[str, Any], names: Sequence[str], where: str) -> list[float]:
    """Return finite numbers of a record by name.

    Raises:
        DataError: One is missing or no number.
    """
    numbers = []
    for name in names:
        value = values.get(name)
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            number = float("nan")
        if not abs(number) < 1e9:
            msg = f"{where}: {name} must be a number, not {value!r}"
            raise DataError(msg)
        numbers.append(number)
    return numbers


def describe_skipped(skipped: Counter[str]) -> list[str]:
    """Say which kinds of labels were passed over, because they cover no area."""
    if not skipped:
        return []
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(skipped.items()))
    return [f"labels without an area, skipped: {kinds}"]


def _measure(path: Path) -> tuple[int, int]:
    header = image_header(path)
    return header.height, header.width
