"""The shapes of a LabelMe file as areas."""

import base64
import binascii
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segnext.data.headers import parse_header
from segnext.data.images import decode_picture
from segnext.data.shapes import Area, Ellipse, Points, Polygon, Runs, build_box, build_ring
from segnext.errors import DataError

WITHOUT_AREA = frozenset({"point", "points", "line", "linestrip"})
_OUTLINES = frozenset({"polygon", "rotation"})  # X-AnyLabeling writes turned boxes as rotation
_UNDERSTOOD = "polygon, rectangle, rotation, circle, mask, point, line, linestrip"


@dataclass(frozen=True, eq=False)
class LabelledArea:
    """A shape: its label as given, and where it is."""

    label: str
    area: Area


def read_areas(shapes: Sequence[Any], path: Path, skipped: Counter[str]) -> Iterator[LabelledArea]:
    """Yield the shapes of a file that cover an area, in their order.

    Args:
        shapes: As the JSON holds them.
        path: The file, for messages.
        skipped: Takes the kinds of shapes that cover none.

    Raises:
        DataError: A shape is malformed or of an unknown kind.
    """
    for number, shape in enumerate(shapes, 1):
        where = f"{path}: shape {number}"
        if not isinstance(shape, dict) or not isinstance(shape.get("label"), str):
            msg = f"{where} has no label"
            raise DataError(msg)
        # LabelMe of before 2019 knew polygons only and did not say so.
        kind = str(shape.get("shape_type") or "polygon")
        if kind in WITHOUT_AREA:
            skipped[kind] += 1
            continue
        area = _read_area(kind, shape, path, where)
        if area is None:
            skipped[f"{kind} of fewer than three points"] += 1
        else:
            yield LabelledArea(shape["label"], area)


def _read_area(kind: str, shape: Mapping[str, Any], path: Path, where: str) -> Area | None:
    points = _read_points(shape, where)
    if kind in _OUTLINES or (kind == "rectangle" and len(points) == 4):
        return Polygon((points,)) if len(points) >= 3 else None
    if kind not in ("rectangle", "circle", "mask"):
        msg = f"{where} has the shape_type {kind!r}; understood are {_UNDERSTOOD}"
        raise DataError(msg)
    if len(points) != 2:
        msg = f"{where}: a {kind} has two points, not {len(points)}"
        raise DataError(msg)
    (x0, y0), (x1, y1) = points.tolist()
    if kind == "rectangle":
        return build_box(x0, y0, x1, y1)
    if kind == "circle":
        radius = math.hypot(x1 - x0, y1 - y0)
        return Ellipse(x0, y0, radius, radius)
    return _read_mask(shape.get("mask"), (x0, y0, x1, y1), path, where)


def _read_points(shape: Mapping[str, Any], where: str) -> Points:
    points = shape.get("points")
    if not isinstance(points, list):
        msg = f"{where} has no points"
        raise DataError(msg)
    # Two points are few for a ring, and right for a box.
    filled = build_ring([*points, *[(0, 0)] * 3], where)
    return filled[:-3]


def _read_mask(
    text: Any, corners: tuple[float, float, float, float], path: Path, where: str
) -> Area:
    """Read a PNG in base64 that fills a box; the last row and column belong to the box."""
    try:
        data = base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error):
        msg = f"{where}: its mask is no picture in base64"
        raise DataError(msg) from None
    try:
        pixels = decode_picture(data, parse_header(data, path), path)
    except DataError as error:
        msg = f"{where}: its mask is broken ({str(error).removeprefix(f'{path}: ')})"
        raise DataError(msg) from None
    left, top, right, bottom = (int(value) for value in corners)
    height, width = pixels.shape[:2]
    if abs(bottom - top + 1 - height) > 1 or abs(right - left + 1 - width) > 1:
        msg = (
            f"{where}: its mask has {width}x{height} pixels, but its box from {left},{top} to "
            f"{right},{bottom} needs {right - left + 1}x{bottom - top + 1}"
        )
        raise DataError(msg)
    return Runs.from_bitmap(pixels.max(axis=2), left=left, top=top)
