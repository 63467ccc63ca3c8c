"""YOLO's label files: a line for each object, in shares of the picture's width and height.

class x1 y1 x2 y2 x3 y3 ...     an outline
class x y width height          a box, by its centre
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segnext.classes import Classes, Mask
from segnext.data.containers.paths import is_file, read_text
from segnext.data.formats.json_files import read_head
from segnext.data.headers import image_header
from segnext.data.pairing import Item
from segnext.data.shapes import Points, Polygon, Shape, build_box, paint
from segnext.errors import DataError, list_some

# Outlines may reach over the border a little; coordinates in pixels reach far beyond.
_LEAST, _MOST = -0.5, 1.5
_LINE = re.compile(r"\s*\d+(\.0*)?(\s+[-+.\deE]+){4,}\s*")


@dataclass(frozen=True, eq=False)
class YoloLabel:
    """A line of a label file.

    Attributes:
        number: Of the class.
        ring: (n, 2) x and y in shares of the picture's width and height.
        is_box: The line gives a box, not an outline.
    """

    number: int
    ring: Points
    is_box: bool


@dataclass(frozen=True)
class YoloMasks:
    """Paints masks from label files when they are asked for.

    A file that is not there, or empty, says that the picture shows no object.

    Attributes:
        classes: What the train ids mean; its raw ids are the numbers in the files.
        numbers: Of the declared classes.
        background: Raw id of pixels that no object covers.
    """

    classes: Classes
    numbers: frozenset[int]
    background: int

    def with_classes(self, classes: Classes) -> "YoloMasks":
        """Return the same reader by another label map; see `MaskReader`."""
        return replace(self, classes=classes)

    def read(self, item: Item) -> Mask:
        """Paint the mask (H, W) of an item, as train ids.

        Larger areas come first, so that the smaller ones on them stay visible; of equal ones the
        line further up is first.

        Raises:
            DataError: The label file or the picture is broken, or a class was not declared.
        """
        assert item.mask_path is not None
        header = image_header(item.image_path)
        size = np.array([header.width, header.height], np.float64)
        labels = sorted(self.labels(item.mask_path), key=lambda label: -_measure(label.ring))
        shapes = [Shape(label.number, Polygon((label.ring * size,))) for label in labels]
        raw = paint(shapes, header.height, header.width, self.background)
        return self.classes.encode(raw, str(item.mask_path))

    def labels(self, path: Path) -> list[YoloLabel]:
        """Read a label file.

        Raises:
            DataError: A line is malformed, or its class was not declared.
        """
        if not is_file(path):
            return []
        found = []
        for line, text in enumerate(read_text(path).splitlines(), 1):
            if not text.strip():
                continue
            label = _parse(text, f"{path}, line {line}")
            if label.number not in self.numbers:
                known = list_some(sorted(self.numbers), 3)
                msg = (
                    f"{path}, line {line}: class {label.number} is none of the "
                    f"{len(self.numbers)} in names ({known}); declare it"
                )
                raise DataError(msg)
            found.append(label)
        return found


def _parse(text: str, where: str) -> YoloLabel:
    try:
        number, *values = (float(part) for part in text.split())
    except ValueError:
        msg = f"{where}: {text[:60]!r} must hold numbers only: a class and an outline"
        raise DataError(msg) from None
    if not (number >= 0 and number.is_integer()):
        msg = f"{where}: the class must be a whole number from 0 on, not {number:g}"
        raise DataError(msg)
    if len(values) < 4 or len(values) % 2:
        msg = (
            f"{where}: {len(values)} numbers after the class; an outline has pairs of numbers, "
            f"three or more, and a box four numbers"
        )
        raise DataError(msg)
    points = np.array(values, np.float64).reshape(-1, 2)
    is_box = len(points) == 2
    if is_box:
        (x, y), (width, height) = points.tolist()
        points = build_box(x - width / 2, y - height / 2, x + width / 2, y + height / 2).rings[0]
    strange = points[~((points > _LEAST) & (points < _MOST))]
    if len(strange):
        msg = (
            f"{where}: the coordinate {strange[0]:g} is no share of the picture's size, from 0 to "
            f"1; divide x by the width and y by the height"
        )
        raise DataError(msg)
    return YoloLabel(int(number), points, is_box)


def _measure(ring: npt.NDArray[np.float64]) -> float:
    """Return the area inside a ring, rounded so that rounding errors decide nothing."""
    x, y = (ring - ring[0]).T
    return round(abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))), 12)


def looks_like_labels(path: Path) -> bool:
    """Tell whether the first line of a text file is that of a label file."""
    lines = read_head(path, 4096).splitlines()
    return bool(_LINE.fullmatch(next((line for line in lines if line.strip()), "")))


def is_blank(path: Path) -> bool:
    """Tell whether a text file starts with nothing but blanks, as that of an empty picture."""
    return not read_head(path, 4096).strip()
