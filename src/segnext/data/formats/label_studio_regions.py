"""Regions of a Label Studio annotation as areas in pixels.

Positions are percents of the picture's width and height. Rectangles turn clockwise about their
top-left corner, ellipses about their centre.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from segnext.data.formats.brush_rle import BrushStrokes
from segnext.data.formats.shape_layout import read_numbers, read_size
from segnext.data.shapes import Area, Ellipse, Polygon, build_box, build_ring, turn_ring
from segnext.errors import DataError


@dataclass(frozen=True)
class Region:
    """A labelled area.

    Attributes:
        label: As the project calls it.
        area: In pixels.
        size: Height and width of the picture, in pixels.
        where: The file and the place in it, for messages.
    """

    label: str
    area: Area
    size: tuple[int, int]
    where: str


def read_region(result: Mapping[str, Any], where: str) -> Region | str:
    """Read one entry of a `result`.

    Returns:
        The region, or, for an entry that labels no area, what it is.

    Raises:
        DataError: The region is malformed, or drawn on a rotated picture.
    """
    kind, value = str(result.get("type")), result.get("value")
    if not isinstance(value, dict) or kind not in _KINDS:
        return kind
    # A brush, polygon or the like beside separate labels: these come as an entry of their own.
    shape = _find_shape(value) if kind == "labels" else kind
    if shape not in _READERS:
        return kind
    names = value.get(kind)
    if not names:
        return f"{kind} without a label"
    if not isinstance(names, list) or not isinstance(names[0], str):
        msg = f"{where}: {kind} must be a list of labels, not {names!r}"
        raise DataError(msg)
    if value.get("rle") == []:
        return f"{kind} without strokes"
    if len(names) > 1:
        several = ", ".join(map(str, names))
        msg = f"{where}: a region has the labels {several}; a pixel has one, so keep only one"
        raise DataError(msg)
    if result.get("image_rotation"):
        msg = (
            f"{where}: its picture was rotated in Label Studio by {result['image_rotation']} "
            f"degrees; rotate it back there, or rotate the file and label it anew"
        )
        raise DataError(msg)
    size = read_size(result.get("original_height"), result.get("original_width"), where)
    area = _READERS[shape]({"rotation": 0} | value, *size, f"{where}, {kind} {names[0]}")
    return Region(names[0], area, size, where)


def _find_shape(value: Mapping[str, Any]) -> str:
    marks = {
        "rle": "brushlabels",
        "points": "polygonlabels",
        "radiusX": "ellipselabels",
        "height": "rectanglelabels",
    }
    return next((shape for mark, shape in marks.items() if mark in value), "")


def _read_brush(value: Mapping[str, Any], _height: int, _width: int, where: str) -> Area:
    packed = value.get("rle")
    try:
        # Not from anything else: bytes(10**12) would be a terabyte of zeros.
        return BrushStrokes(bytes(packed if isinstance(packed, list) else [-1]))
    except (TypeError, ValueError, OverflowError):
        msg = f"{where}: rle must be a list of numbers from 0 to 255"
        raise DataError(msg) from None


def _read_polygon(value: Mapping[str, Any], height: int, width: int, where: str) -> Area:
    ring = build_ring(value.get("points") or (), where)
    return Polygon((ring * (width / 100, height / 100),))


def _read_rectangle(value: Mapping[str, Any], height: int, width: int, where: str) -> Area:
    names = ("x", "y", "width", "height", "rotation")
    left, top, across, down, degrees = read_numbers(value, names, where)
    left, across = left * width / 100, across * width / 100
    top, down = top * height / 100, down * height / 100
    box = build_box(left, top, left + across, top + down)
    return Polygon((turn_ring(box.rings[0], left, top, degrees),)) if degrees else box


def _read_ellipse(value: Mapping[str, Any], height: int, width: int, where: str) -> Area:
    names = ("x", "y", "radiusX", "radiusY", "rotation")
    x, y, radius_x, radius_y, degrees = read_numbers(value, names, where)
    across, down = width / 100, height / 100
    return Ellipse(x * across, y * down, radius_x * across, radius_y * down, degrees)


_READERS: dict[str, Callable[[Mapping[str, Any], int, int, str], Area]] = {
    "brushlabels": _read_brush,
    "polygonlabels": _read_polygon,
    "rectanglelabels": _read_rectangle,
    "ellipselabels": _read_ellipse,
}
_KINDS = frozenset({*_READERS, "labels"})
