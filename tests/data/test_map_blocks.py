from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segnext.data.map_blocks import plan_windows
from segnext.data.rasters import Raster

MAP = Raster(Path("map.tif"), 300, 420, (1,), None, "", (1, 0, 0, 0, 1, 0), None, 1)


def test_windows_lie_side_by_side_from_edge_to_edge() -> None:
    taken = np.zeros((300, 420), int)
    for window in plan_windows([MAP], 32):
        place = window.place
        assert (place.height, place.width) == (32, 32)
        taken[place.top : place.bottom, place.left : place.right] += 1
    assert taken.max() == 1
    assert taken.mean() > 0.95
    assert (taken[[0, 0, -1, -1], [0, -1, 0, -1]] == 1).all()


@pytest.mark.parametrize(
    ("block", "expected"), [(32, 9 * 13), (64, 4 * 6), (95, 4 * 6), (96, 3 * 4), (3000, 1)]
)
def test_a_block_has_as_many_windows_as_fit(block: int, expected: int) -> None:
    windows = list(plan_windows([MAP], 32, block))
    sizes = np.unique([window.block for window in windows], return_counts=True)[1]
    assert len(sizes) == expected
    assert sizes.min() >= min(len(windows), (block // 32) ** 2)


@pytest.mark.parametrize(("window", "expected"), [(8, 9 * 13), (32, 24), (64, 24), (200, 2)])
def test_blocks_are_large_where_there_are_enough(window: int, expected: int) -> None:
    assert len({planned.block for planned in plan_windows([MAP], window)}) == expected


def test_a_map_smaller_than_a_window() -> None:
    (planned,) = plan_windows([replace(MAP, height=20)], 400)
    assert (planned.place.bottom, planned.place.right) == (20, 400)


def test_maps_have_blocks_of_their_own() -> None:
    maps = [MAP, replace(MAP, path=Path("other.tif"))]
    blocks = {(window.source, window.block) for window in plan_windows(maps, 64, 128)}
    assert len({name for _, name in blocks}) == len(blocks) == 2 * 2 * 3
