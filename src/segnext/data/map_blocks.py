"""Windows of maps, and the blocks of neighbours that must stay together.

Neighbouring windows look alike, and would make scores a lie in different splits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from segnext.data.grid import Patch
from segnext.data.rasters import Raster

# That are enough for a split, where their size is not told.
_ENOUGH_BLOCKS = 20
_LARGEST_BLOCK = 4  # windows along a side


@dataclass(frozen=True)
class PlannedWindow:
    """A window of a map.

    Attributes:
        name: Of the map and the place.
        block: That it is in.
        source: Position of the map among all.
        place: In the map, in pixels.
    """

    name: str
    block: str
    source: int
    place: Patch


def plan_windows(
    maps: Sequence[Raster], window: int, block: int | None = None
) -> Iterator[PlannedWindow]:
    """Yield the windows of maps, row by row.

    Args:
        maps: With different names.
        window: Side of a window, in pixels.
        block: Side of a block, in pixels, at least that of a window: as many whole windows as fit.
            Found out if not given.
    """
    side = _choose_side(maps, window) if block is None else block // window
    for number, raster in enumerate(maps):
        stem = raster.path.stem
        for top, block_row in _spread(raster.height, window, side):
            for left, block_column in _spread(raster.width, window, side):
                # Only a map that is smaller than a window has less than a whole one.
                bottom, right = min(top + window, raster.height), min(left + window, raster.width)
                place = Patch(top, left, bottom, right)
                name = f"{stem}_{place.describe('sides')}"
                yield PlannedWindow(name, f"{stem}_{block_row}_{block_column}", number, place)


def _choose_side(maps: Sequence[Raster], window: int) -> int:
    """Return the windows along a block: the most by which there are enough blocks, or one."""
    for side in range(_LARGEST_BLOCK, 1, -1):
        counts = [
            _count_blocks(raster.height, window, side) * _count_blocks(raster.width, window, side)
            for raster in maps
        ]
        if sum(counts) >= _ENOUGH_BLOCKS:
            return side
    return 1


def _count_blocks(length: int, window: int, side: int) -> int:
    return max(1, length // window // side)


def _spread(length: int, window: int, side: int) -> Iterator[tuple[int, int]]:
    """Yield first pixel and block of the windows along a side of a map.

    They do not overlap, so blocks do not, either; what is left over lies evenly between them.
    """
    count, blocks = max(1, length // window), _count_blocks(length, window, side)
    room = max(0, length - window)
    for index in range(count):
        yield index * room // max(1, count - 1), index * blocks // count
