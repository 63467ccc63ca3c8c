"""Regions of a mask as outlines along the edges of pixels, which fill to the same mask again.

Outlines run between pixels, so neighbours share their edges. A region with holes is one outline
all the same: it leads to each hole along a straight line, round it, and back on the same line. So
it means the same to readers that know even-odd, non-zero, or one ring per polygon only.

Shapes: H and W height and width of the mask.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from segnext.classes import Mask

Point = tuple[int, int]
Ring = list[Point]


@dataclass(frozen=True, eq=False)
class Region:
    """Pixels of one label that touch each other's sides.

    Attributes:
        label: Train id.
        left: First column.
        top: First row.
        inside: (h, w) of the box around it, true for its pixels.
    """

    label: int
    left: int
    top: int
    inside: npt.NDArray[np.bool_]

    @property
    def area(self) -> int:
        """Pixels."""
        return int(np.count_nonzero(self.inside))

    @property
    def box(self) -> tuple[int, int, int, int]:
        """x, y, width, height, in pixels."""
        height, width = self.inside.shape
        return self.left, self.top, width, height

    def outline(self) -> list[int]:
        """Trace it: x, y, x, y, ... in pixels from the picture's upper left corner."""
        ring = trace_region(self.inside)
        return [value for x, y in ring for value in (x + self.left, y + self.top)]

    def rings(self) -> list[Ring]:
        """Trace it as formats with holes want it: the outline, then its holes, each closed.

        By GeoJSON's rule the region lies to the left where y is taken to point upwards. Corners
        are counted in pixels from the picture's upper left one.
        """
        traced = sorted((_start_at_least(ring) for ring in _trace_rings(self.inside)), key=min)
        corners = [_drop_straight(ring) for ring in traced]
        return [[(x + self.left, y + self.top) for x, y in (*ring, ring[0])] for ring in corners]


def find_regions(mask: Mask, labels: Iterable[int] | None = None) -> Iterator[Region]:
    """Yield the regions of a mask (H, W), label by label.

    Args:
        mask: Train ids.
        labels: To look for; all that the mask holds if not given.
    """
    present = np.unique(mask).tolist()
    wanted = present if labels is None else [label for label in labels if label in present]
    for label in wanted:
        inside = (mask == label).astype(np.uint8)
        count, numbered, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=4)
        for number in range(1, count):
            left, top, width, height, _ = (int(value) for value in stats[number])
            part = numbered[top : top + height, left : left + width] == number
            yield Region(label, left, top, part)


def trace_region(inside: npt.NDArray[np.bool_]) -> Ring:
    """Return the outline of one region (H, W) whose pixels touch each other's sides."""
    outer, *holes = sorted((_start_at_least(ring) for ring in _trace_rings(inside)), key=min)
    joined, attached = set(outer), dict[Point, list[Ring]]()
    for hole in holes:
        # What a line to the left meets first has a lesser x, so it is part of the outline already.
        x, y = hole[0]
        while (x, y) not in joined:
            x -= 1
        attached.setdefault((x, y), []).append(hole)
        joined.update(hole)
    return _drop_straight(_join(outer, attached))


def _trace_rings(inside: npt.NDArray[np.bool_]) -> list[Ring]:
    """Chain the unit edges between inside and outside, the inside on their right."""
    edges = _find_edges(inside)
    rings = []
    while edges:
        first, (start, *_) = next(iter(edges.items()))
        ring, place, way = [first], first, start
        _take(edges, first, start)
        while True:
            place = place[0] + way[0], place[1] + way[1]
            right = -way[1], way[0]
            ways = edges.get(place, [])
            # Where two corners touch, the line stays with its own: it turns right.
            if place == first and (not ways or right == start):
                break
            way = right if right in ways else ways[0]
            _take(edges, place, way)
            ring.append(place)
        rings.append(ring)
    return rings


def _find_edges(inside: npt.NDArray[np.bool_]) -> dict[Point, list[Point]]:
    """Return the directions in which edges leave each corner."""
    padded = np.pad(inside, 1)
    edges: dict[Point, list[Point]] = {}
    # Direction, where the pixel outside lies, and which corner of the pixel inside is first.
    for way, beside, corner in (
        ((1, 0), (-1, 0), (0, 0)),
        ((0, 1), (0, 1), (1, 0)),
        ((-1, 0), (1, 0), (1, 1)),
        ((0, -1), (0, -1), (0, 1)),
    ):
        outside = ~np.roll(padded, (-beside[0], -beside[1]), axis=(0, 1))
        rows, columns = np.nonzero(padded & outside)
        for y, x in zip((rows - 1).tolist(), (columns - 1).tolist(), strict=True):
            edges.setdefault((x + corner[0], y + corner[1]), []).append(way)
    return edges


def _take(edges: dict[Point, list[Point]], place: Point, way: Point) -> None:
    edges[place].remove(way)
    if not edges[place]:
        del edges[place]


def _start_at_least(ring: Ring) -> Ring:
    least = ring.index(min(ring))
    return ring[least:] + ring[:least]


def _join(outer: Ring, attached: dict[Point, list[Ring]]) -> Ring:
    """Walk the outline, and from each corner to the holes that hang on it, round and back."""
    line: Ring = []
    stack: list[tuple[Iterator[Point], Ring]] = [(iter(outer), [])]
    while stack:
        corners, back = stack[-1]
        corner = next(corners, None)
        if corner is None:
            line += back
            stack.pop()
            continue
        line.append(corner)
        for hole in attached.pop(corner, ()):
            stack.append((iter(hole), [hole[0], corner]))
    return line


def _drop_straight(ring: Ring) -> Ring:
    """Leave out the corners at which the line goes straight on."""
    kept = []
    for index, (x, y) in enumerate(ring):
        before, after = ring[index - 1], ring[(index + 1) % len(ring)]
        came, goes = (x - before[0], y - before[1]), (after[0] - x, after[1] - y)
        # Along one axis each; both products are zero but for a line along the same axis.
        if came[0] * goes[0] + came[1] * goes[1] <= 0:
            kept.append((x, y))
    return kept
