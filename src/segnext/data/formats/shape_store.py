"""Labelled shapes of many pictures in a few flat arrays.

COCO has 118,000 training pictures with 1.3 million outlines. As objects they would take gigabytes,
copied once more by every worker process; in arrays they take what the numbers take, are shared
with forked workers, and become shapes only when a picture's mask is asked for.
"""

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segnext.data.headers import MAX_PIXELS
from segnext.data.shape_masks import Annotation
from segnext.data.shapes import Area, Polygon, Runs, Shape
from segnext.errors import DataError

# Beyond this, sums of coordinates would lose tenths of pixels.
_FARTHEST = 1e9
# Areas that differ by less are equal: what is left of them are rounding errors.
_AREA_DIGITS = 3


@dataclass(frozen=True, eq=False)
class StoredShapes(Mapping[str, Annotation]):
    """Annotations by item name; see `ShapeCollector`.

    P pictures, M parts in the order of painting, of which R are runs; Q points.

    Attributes:
        rows: Position of each picture by its name.
        sizes: (P, 2) height and width.
        first: (P + 1,) first part of each picture, and M.
        raw_ids: (M,) label of each part.
        is_runs: (M,) whether a part is run lengths instead of a ring.
        starts: (M,) where a part starts in `points` or in `lengths`.
        stops: (M,) where it stops.
        points: (Q, 2) x and y in pixels.
        lengths: Run lengths, down the columns.
    """

    rows: Mapping[str, int]
    sizes: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    raw_ids: npt.NDArray[np.uint16]
    is_runs: npt.NDArray[np.bool_]
    starts: npt.NDArray[np.int64]
    stops: npt.NDArray[np.int64]
    points: npt.NDArray[np.float64]
    lengths: npt.NDArray[np.uint32]

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.rows)

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the pictures."""
        return iter(self.rows)

    def __getitem__(self, name: str) -> Annotation:
        """Return the shapes of a picture."""
        row = self.rows[name]
        height, width = (int(value) for value in self.sizes[row])
        parts = range(self.first[row], self.first[row + 1])
        shapes = [Shape(int(self.raw_ids[part]), self._area(part, height, width)) for part in parts]
        return Annotation(shapes, height, width)

    def without_shapes(self) -> frozenset[str]:
        """Return the names of pictures that have no shape."""
        counts = np.diff(self.first)
        return frozenset(name for name, row in self.rows.items() if not counts[row])

    def _area(self, part: int, height: int, width: int) -> Area:
        place = slice(self.starts[part], self.stops[part])
        if not self.is_runs[part]:
            return Polygon((self.points[place],))
        return Runs(self.lengths[place].astype(np.int64), height, width, by_columns=True)


class ShapeCollector:
    """Takes shapes one by one and stores them in the order of painting.

    Larger areas are painted first, so that the smaller ones on them stay visible; of equal ones
    the lower rank is first. An area is measured on the shape itself: the sum over its rings, or
    the pixels of its runs. Rings of one shape are painted one after the other: their union counts.
    """

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._sizes: list[tuple[int, int]] = []
        self._points, self._lengths = array("d"), array("I")
        self._ranks, self._pictures = array("q"), array("q")
        # One entry a part: its shape, label, kind, place.
        self._shapes, self._raw_ids, self._is_runs = array("q"), array("H"), array("b")
        self._starts, self._stops = array("q"), array("q")

    def __contains__(self, name: str) -> bool:
        """Tell whether a picture of this name was added."""
        return name in self._rows

    def add_picture(self, name: str, height: int, width: int) -> int:
        """Add a picture without shapes, and return its number.

        Raises:
            DataError: Its size is no size of a picture.
        """
        if min(height, width) < 1 or height * width > MAX_PIXELS:
            msg = f"{width} x {height} is no size of a picture of at most {MAX_PIXELS:,} pixels"
            raise DataError(msg)
        self._rows[name] = len(self._sizes)
        self._sizes.append((height, width))
        return len(self._sizes) - 1

    def size(self, picture: int) -> tuple[int, int]:
        """Return height and width of a picture."""
        return self._sizes[picture]

    def add_rings(
        self, picture: int, raw_id: int, rank: int, rings: Sequence[Sequence[float]]
    ) -> None:
        """Add a shape whose area is the union of rings.

        Args:
            picture: Its number.
            raw_id: Of the label.
            rank: Decides between shapes of one area.
            rings: x, y, x, y, ... in pixels; three points or more each.

        Raises:
            DataError: A ring is malformed.
        """
        self._add_shape(picture, rank)
        for ring in rings:
            start = len(self._points)
            self._points.extend(_check_ring(ring))
            self._add_part(raw_id, start // 2, len(self._points) // 2, is_runs=False)

    def add_runs(self, picture: int, raw_id: int, rank: int, runs: Runs) -> None:
        """Add a shape that is run lengths down the columns of the whole picture."""
        assert runs.by_columns
        assert (runs.height, runs.width) == self._sizes[picture]
        self._add_shape(picture, rank)
        start = len(self._lengths)
        self._lengths.extend(runs.counts.tolist())
        self._add_part(raw_id, start, len(self._lengths), is_runs=True)

    def _add_shape(self, picture: int, rank: int) -> None:
        self._pictures.append(picture)
        self._ranks.append(rank)

    def _add_part(self, raw_id: int, start: int, stop: int, *, is_runs: bool) -> None:
        self._shapes.append(len(self._pictures) - 1)
        self._raw_ids.append(raw_id)
        self._is_runs.append(is_runs)
        self._starts.append(start)
        self._stops.append(stop)

    def finish(self) -> StoredShapes:
        """Return everything that was added, in the order of painting."""
        points = np.array(self._points, np.float64).reshape(-1, 2)
        lengths = np.array(self._lengths, np.uint32)
        is_runs = np.array(self._is_runs, np.bool_)
        starts, stops = np.array(self._starts, np.int64), np.array(self._stops, np.int64)
        shapes = np.array(self._shapes, np.int64)
        areas = np.zeros(len(shapes))
        areas[~is_runs] = _ring_areas(points, starts[~is_runs])
        areas[is_runs] = _run_areas(lengths, starts[is_runs], stops[is_runs])
        whole = np.bincount(shapes, areas, minlength=len(self._pictures)).round(_AREA_DIGITS)
        pictures = np.array(self._pictures, np.int64)[shapes]
        ranks = np.array(self._ranks, np.int64)[shapes]
        # The last key is the first that decides; the order of what is equal stays.
        order = np.lexsort((shapes, ranks, -whole[shapes], pictures))
        first = np.searchsorted(pictures[order], np.arange(len(self._sizes) + 1))
        return StoredShapes(
            rows=dict(self._rows),
            sizes=np.array(self._sizes, np.int64).reshape(-1, 2),
            first=first.astype(np.int64),
            raw_ids=np.array(self._raw_ids, np.uint16)[order],
            is_runs=is_runs[order],
            starts=starts[order],
            stops=stops[order],
            points=points,
            lengths=lengths,
        )


def _check_ring(ring: Sequence[Any]) -> "array[float]":
    try:
        values = array("d", ring)
    except (TypeError, OverflowError):
        msg = "a polygon must be a list of numbers x, y, x, y, and so on"
        raise DataError(msg) from None
    if len(values) % 2 or len(values) < 6:
        msg = f"a polygon needs pairs of numbers, three or more, not {len(values)} numbers"
        raise DataError(msg)
    # The sum finds what is not finite, which comparisons would pass over.
    if not (math.isfinite(sum(values)) and max(max(values), -min(values)) < _FARTHEST):
        msg = "a polygon's point is no position in a picture"
        raise DataError(msg)
    return values


def _ring_areas(
    points: npt.NDArray[np.float64], starts: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return the area of each ring; rings follow each other and fill `points`."""
    if not len(starts):
        return np.zeros(0)
    lengths = np.diff(starts, append=len(points))
    # Seen from their first point, far rings lose no digits.
    x, y = (points - np.repeat(points[starts], lengths, axis=0)).T
    after = np.arange(1, len(points) + 1)
    after[starts + lengths - 1] = starts
    doubled: npt.NDArray[np.float64] = np.add.reduceat(x * y[after] - x[after] * y, starts)
    return np.abs(doubled) / 2


def _run_areas(
    lengths: npt.NDArray[np.uint32],
    starts: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """Return the pixels inside each list of runs."""
    if not len(starts):
        return np.zeros(0)
    odd = (np.arange(len(lengths)) - np.repeat(starts, stops - starts)) % 2
    inside: npt.NDArray[np.float64] = np.add.reduceat(lengths * odd.astype(np.float64), starts)
    return inside
