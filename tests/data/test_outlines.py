import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from segnext.data.outlines import find_regions, trace_region
from segnext.data.shapes import Polygon


def fill(mask: np.ndarray) -> np.ndarray:
    filled = np.full(mask.shape, 255, np.uint8)
    for region in find_regions(mask):
        points = np.array(region.outline(), float).reshape(-1, 2)
        inside = Polygon((points,)).fill(*mask.shape)
        assert inside.sum() == region.area
        assert (filled[inside] == 255).all()
        filled[inside] = region.label
    return filled


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 2))
)
def test_outlines_fill_to_the_same_mask(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(fill(mask), mask)


def test_holes_in_holes_and_corners_that_touch() -> None:
    mask = np.zeros((40, 40), np.uint8)
    for inset in range(2, 18, 3):
        mask[inset : 40 - inset, inset : 40 - inset] = inset % 2 + inset // 6
    mask[5:9:2, 5:9:2] = 7
    mask[6:10:2, 6:10:2] = 7
    np.testing.assert_array_equal(fill(mask), mask)


def test_straight_lines_have_two_points() -> None:
    assert trace_region(np.ones((3, 5), bool)) == [(0, 0), (5, 0), (5, 3), (0, 3)]


def test_a_region_says_its_area_and_box() -> None:
    mask = np.zeros((6, 8), np.uint8)
    mask[2:4, 3:7] = 1
    _, region = find_regions(mask)
    assert (region.label, region.area, region.box) == (1, 8, (3, 2, 4, 2))


# pycocotools is older than numpy 2.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("hole", [False, True])
def test_other_readers_fill_them_alike(hole: bool) -> None:
    mask = np.zeros((30, 40), np.uint8)
    mask[4:25, 6:33] = 1
    if hole:
        mask[10:15, 12:20] = 0
    region = next(one for one in find_regions(mask) if one.label == 1)
    (encoded,) = coco_mask.frPyObjects([region.outline()], 30, 40)
    np.testing.assert_array_equal(coco_mask.decode(encoded), mask)
