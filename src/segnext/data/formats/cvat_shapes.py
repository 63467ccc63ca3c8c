"""Shapes of CVAT's XML as areas in pixels."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from segnext.data.formats.shape_layout import read_numbers
from segnext.data.headers import MAX_PIXELS
from segnext.data.shapes import (
    Area,
    Ellipse,
    Polygon,
    Runs,
    build_box,
    build_ring,
    turn_ring,
)
from segnext.errors import DataError


def read_area(kind: str, attributes: Mapping[str, str], where: str) -> Area:
    """Read a shape.

    Args:
        kind: Name of its element, one of `WITH_AREA`.
        attributes: Of its element.
        where: The file and the place in it, for messages.

    Raises:
        DataError: An attribute is missing or malformed.
    """
    return _READERS[kind]({"rotation": "0"} | dict(attributes), where)


def _read_polygon(attributes: Mapping[str, Any], where: str) -> Area:
    points = attributes.get("points", "").split(";")
    return Polygon((build_ring((point.split(",") for point in points), where),))


def _read_box(attributes: Mapping[str, Any], where: str) -> Area:
    names = ("xtl", "ytl", "xbr", "ybr", "rotation")
    left, top, right, bottom, degrees = read_numbers(attributes, names, where)
    box = build_box(left, top, right, bottom)
    if not degrees:
        return box
    pivot = (left + right) / 2, (top + bottom) / 2
    return Polygon((turn_ring(box.rings[0], *pivot, degrees),))


def _read_ellipse(attributes: Mapping[str, Any], where: str) -> Area:
    return Ellipse(*read_numbers(attributes, ("cx", "cy", "rx", "ry", "rotation"), where))


def _read_mask(attributes: Mapping[str, Any], where: str) -> Area:
    names = ("left", "top", "width", "height")
    left, top, width, height = (int(v) for v in read_numbers(attributes, names, where))
    try:
        counts = np.array([int(count) for count in attributes["rle"].split(",")], np.int64)
    except (KeyError, ValueError, OverflowError):
        msg = f"{where}: rle must be whole numbers with commas between"
        raise DataError(msg) from None
    if min(width, height) < 1 or width * height > MAX_PIXELS:
        msg = f"{where}: {width} x {height} is no size of a mask"
        raise DataError(msg)
    if not 0 <= counts.min() <= counts.max() <= width * height or counts.sum() != width * height:
        msg = f"{where}: rle does not add up to the {width} x {height} pixels of the mask"
        raise DataError(msg)
    return Runs(counts, height, width, left=left, top=top)


_READERS: dict[str, Callable[[Mapping[str, Any], str], Area]] = {
    "box": _read_box,
    "ellipse": _read_ellipse,
    "mask": _read_mask,
    "polygon": _read_polygon,
}
WITH_AREA = frozenset(_READERS)
