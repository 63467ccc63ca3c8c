"""Labelled regions to masks, by one rule whatever format they come from.

The fill rule: pixel (row r, column c) is the square from (c, r) to (c + 1, r + 1), and belongs to
a region if its centre (c + 0.5, r + 0.5) lies inside. Inside is by the even-odd rule; a centre
exactly on an edge belongs to the region on its right, or below it. So regions that share an edge
neither overlap nor leave a gap, and the part of a region outside the picture does not matter.

Coordinates are first rounded to 1/256 of a pixel. Shares and percents of a picture's size come back
as pixels with an error, which would otherwise decide about every centre that lies on an edge.

Shapes: H and W height and width of the picture, n points of a ring.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from segnext.data.headers import MAX_PIXELS
from segnext.errors import DataError

Points = npt.NDArray[np.float64]
Region = npt.NDArray[np.bool_]

# Beyond this, sums of coordinates would lose tenths of pixels.
_FARTHEST = 1e9
# YOLO's files have six digits of a share, which tell this much apart in 3,900 pixels.
_PARTS_OF_PIXEL = 256
# Places where edges cross rows come from a division. Nearer than this to a centre is on it.
_CROSSING_DIGITS = 9
# Half a gigabyte: far beyond any outline, but not beyond a zigzag over a whole picture.
_MOST_CROSSINGS = 1 << 23


class Area(Protocol):
    """A part of a picture."""

    def fill(self, height: int, width: int) -> Region:
        """Return (H, W), true for the pixels that belong to it.

        Raises:
            DataError: It cannot be drawn on a picture of this size.
        """


@dataclass(frozen=True, eq=False)
class Polygon:
    """The inside of rings by the even-odd rule: one outline, and holes if any.

    Attributes:
        rings: (n, 2) each: x to the right and y down, in pixels from the picture's corner; the
            last point is joined to the first.
    """

    rings: tuple[Points, ...]

    def fill(self, height: int, width: int) -> Region:
        """Fill by the rule of this module.

        Raises:
            DataError: The edges cross more rows than fit into memory.
        """
        inside = np.zeros((height, width), np.bool_)
        if not any(map(len, self.rings)):
            return inside
        # Most areas are small, and nothing lies beyond their farthest points.
        rings = [_round(ring) for ring in self.rings]
        points = np.concatenate(rings)
        low, high = np.floor(points.min(axis=0)), np.ceil(points.max(axis=0))
        left, top = (max(0, int(value)) for value in low)
        right, bottom = min(width, int(high[0])), min(height, int(high[1]))
        if right <= left or bottom <= top:
            return inside
        # Crossing an edge from left to right changes inside to outside and back.
        crossings = np.zeros((bottom - top, right - left + 1), np.bool_)
        for ring in rings:
            # In the picture's own coordinates: areas that share an edge must round it alike.
            rows, columns = _cross(ring, height, width)
            np.logical_xor.at(crossings, (rows - top, columns - left), True)
        np.logical_xor.accumulate(crossings[:, :-1], axis=1, out=inside[top:bottom, left:right])
        return inside


def _cross(ring: Points, height: int, width: int) -> tuple[Any, Any]:
    """Return row and first column to the right of each crossing of a ring with a row's centre."""
    after = np.roll(ring, -1, axis=0)
    falling = ring[:, 1] <= after[:, 1]
    top, bottom = np.where(falling[:, None], ring, after), np.where(falling[:, None], after, ring)
    # Rows whose centre lies in [top, bottom).
    first = np.ceil(top[:, 1] - 0.5).clip(0, height).astype(np.int64)
    last = np.ceil(bottom[:, 1] - 0.5).clip(0, height).astype(np.int64)
    lengths = last - first
    if lengths.sum() > _MOST_CROSSINGS:
        msg = (
            f"a polygon of {len(ring):,} points crosses {lengths.sum():,} rows, more than "
            f"{_MOST_CROSSINGS:,}; simplify it or cut it up"
        )
        raise DataError(msg)
    edges = np.repeat(np.arange(len(ring)), lengths)
    starts = np.repeat(lengths.cumsum() - lengths, lengths)
    rows = np.arange(len(edges)) - starts + first[edges]
    start, end = top[edges], bottom[edges]
    along = (rows + 0.5 - start[:, 1]) / (end[:, 1] - start[:, 1])
    x = start[:, 0] + along * (end[:, 0] - start[:, 0])
    return rows, np.ceil((x - 0.5).round(_CROSSING_DIGITS)).clip(0, width).astype(np.int64)


def _round(values: npt.ArrayLike) -> Points:
    rounded: Points = np.round(np.asarray(values, np.float64) * _PARTS_OF_PIXEL) / _PARTS_OF_PIXEL
    return rounded


@dataclass(frozen=True)
class Ellipse:
    """The inside of an ellipse.

    Attributes:
        x: Of the centre, in pixels from the picture's corner.
        y: Of the centre, in pixels from the picture's corner.
        radius_x: Half the width before turning, in pixels.
        radius_y: Half the height before turning, in pixels.
        degrees: Turned clockwise about its centre.
    """

    x: float
    y: float
    radius_x: float
    radius_y: float
    degrees: float = 0.0

    def fill(self, height: int, width: int) -> Region:
        """Fill the pixels whose centre lies inside, and not on the edge."""
        x, y, radius_x, radius_y = _round([self.x, self.y, self.radius_x, self.radius_y])
        if min(radius_x, radius_y) <= 0:
            return np.zeros((height, width), np.bool_)
        cosine, sine = _cosine_and_sine(self.degrees)
        down = (np.arange(height) + 0.5 - y)[:, None]
        right = np.arange(width) + 0.5 - x
        along = (right * cosine + down * sine) / radius_x
        across = (down * cosine - right * sine) / radius_y
        inside: Region = (along**2 + across**2).round(_CROSSING_DIGITS) < 1
        return inside


@dataclass(frozen=True, eq=False)
class Runs:
    """A bitmap as run lengths: outside, inside, outside, and so on.

    Attributes:
        counts: Lengths, the first one outside; they add up to height times width.
        height: Of the bitmap.
        width: Of the bitmap.
        by_columns: Runs go down the columns, as in COCO; else along the rows.
        left: Column of the picture where the bitmap starts.
        top: Row of the picture where the bitmap starts.
    """

    counts: npt.NDArray[np.int64]
    height: int
    width: int
    by_columns: bool = False
    left: int = 0
    top: int = 0

    @classmethod
    def from_bitmap(cls, bitmap: npt.NDArray[Any], *, left: int = 0, top: int = 0) -> "Runs":
        """Encode a bitmap (H, W); nonzero is inside."""
        flat = np.concatenate([[False], bitmap.reshape(-1) != 0, [False]])
        edges = np.flatnonzero(flat[1:] != flat[:-1])
        ends = np.concatenate([edges, [bitmap.size]])
        height, width = bitmap.shape
        return cls(np.diff(ends, prepend=0), height, width, left=left, top=top)

    def fill(self, height: int, width: int) -> Region:
        """Place the bitmap in the picture; what reaches beyond it is cut off.

        Raises:
            DataError: The lengths do not add up to the bitmap's size, or it is too large.
        """
        pixels = self.height * self.width
        total = int(self.counts.sum()) if len(self.counts) else 0
        wrong = len(self.counts) and not 0 <= self.counts.min() <= self.counts.max() <= pixels
        if min(self.height, self.width) < 0 or pixels > MAX_PIXELS or total != pixels or wrong:
            msg = f"run lengths cover {total:,} pixels, not {self.height} x {self.width}"
            raise DataError(msg)
        values = np.arange(len(self.counts)) % 2 == 1
        flat = np.repeat(values, self.counts)
        shape = (self.height, self.width)
        bitmap = flat.reshape(shape[::-1]).T if self.by_columns else flat.reshape(shape)
        inside = np.zeros((height, width), np.bool_)
        top, left = max(0, self.top), max(0, self.left)
        bottom, right = max(0, height - self.top), max(0, width - self.left)
        cut = bitmap[top - self.top : bottom, left - self.left : right]
        inside[top : top + cut.shape[0], left : left + cut.shape[1]] = cut
        return inside


@dataclass(frozen=True, eq=False)
class Shape:
    """A labelled area: raw id of the label, and where it is."""

    raw_id: int
    area: Area


def build_ring(values: Iterable[Any], where: str) -> Points:
    """Check the points of a ring.

    Args:
        values: Pairs (x, y) in pixels.
        where: The file and the place in it, for messages.

    Returns:
        (n, 2).

    Raises:
        DataError: There are fewer than three points, or one is no pair of finite numbers.
    """
    try:
        ring = np.array([(float(x), float(y)) for x, y in values], np.float64).reshape(-1, 2)
    except (TypeError, ValueError, OverflowError):
        msg = f"{where}: a polygon's points must be pairs of numbers"
        raise DataError(msg) from None
    if len(ring) < 3:
        msg = f"{where}: a polygon needs three points or more, not {len(ring)}"
        raise DataError(msg)
    if not (np.abs(ring) < _FARTHEST).all():
        msg = f"{where}: a polygon's point is no position in a picture"
        raise DataError(msg)
    return ring


def build_box(left: float, top: float, right: float, bottom: float) -> Polygon:
    """Return an upright rectangle as a polygon."""
    return Polygon((np.array([(left, top), (right, top), (right, bottom), (left, bottom)]),))


def turn_ring(ring: Points, x: float, y: float, degrees: float) -> Points:
    """Turn points (n, 2) clockwise about a pivot, as seen on the screen."""
    cosine, sine = _cosine_and_sine(degrees)
    turned: Points = (ring - (x, y)) @ np.array([(cosine, sine), (-sine, cosine)]) + (x, y)
    return turned


def _cosine_and_sine(degrees: float) -> tuple[float, float]:
    # Rounded, so that quarter turns are exact and their edges stay where they were.
    angle = math.radians(degrees)
    return round(math.cos(angle), 15), round(math.sin(angle), 15)


def paint(
    shapes: Sequence[Shape], height: int, width: int, background: int
) -> npt.NDArray[np.uint16]:
    """Paint shapes one over the other, in their order, on a background.

    Returns:
        (H, W) raw ids.

    Raises:
        DataError: A shape cannot be drawn on a picture of this size.
    """
    mask = np.full((height, width), background, np.uint16)
    for shape in shapes:
        mask[shape.area.fill(height, width)] = shape.raw_id
    return mask
