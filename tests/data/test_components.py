import numpy as np
import pytest

from segnext.data.components import measure_components


def _region(*boxes: tuple[int, int, int, int], size: tuple[int, int] = (60, 80)) -> np.ndarray:
    """Return a region of boxes (top, left, height, width)."""
    region = np.zeros(size, np.bool_)
    for top, left, height, width in boxes:
        region[top : top + height, left : left + width] = True
    return region


def test_areas_of_each_component() -> None:
    found = measure_components(_region((2, 3, 4, 5), (20, 20, 1, 1), (30, 10, 10, 2)))
    assert sorted(found.areas.tolist()) == [1, 20, 20]


def test_corners_connect() -> None:
    assert measure_components(_region((0, 0, 2, 2), (2, 2, 3, 3))).areas.tolist() == [13]


@pytest.mark.parametrize("width", range(1, 12))
def test_width_of_a_strip(width: int) -> None:
    for region in (_region((5, 7, 50, width)), _region((5, 7, 50, width)).T.copy()):
        assert measure_components(region).widths == pytest.approx(width, abs=0.5)


def test_width_at_the_edge_of_the_picture() -> None:
    """A strip along the border is as wide as it is seen to be."""
    assert np.median(measure_components(_region((0, 0, 60, 5))).widths) == 5.5


def test_width_of_a_disc() -> None:
    rows, columns = np.mgrid[:60, :80]
    disc = (rows - 30) ** 2 + (columns - 40) ** 2 <= 20**2
    assert measure_components(disc).widths.max() == pytest.approx(40.5, abs=1)


def test_a_pole_with_a_sign_is_thin_along_most_of_its_line() -> None:
    found = measure_components(_region((0, 30, 60, 3), (2, 22, 16, 19)))
    assert len(found.areas) == 1
    assert np.median(found.widths) == 3.5
    assert found.widths.max() == pytest.approx(16, abs=0.5)


def test_a_region_that_fills_the_picture() -> None:
    found = measure_components(np.ones((10, 30), np.bool_))
    assert found.areas.tolist() == [300]
    assert found.widths.tolist() == [9.5] * len(found.widths)
