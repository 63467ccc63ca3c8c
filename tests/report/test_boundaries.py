import numpy as np
import pytest

from segnext.report.boundaries import WIDTHS, BoundaryCounts, near_border


def by_hand(truth: np.ndarray, prediction: np.ndarray, label: int, width: int) -> float:
    """Boundary IoU of one class by its definition, pixel by pixel."""

    def band(mask: np.ndarray) -> set[tuple[int, int]]:
        found = set()
        for y, x in zip(*np.nonzero(mask == label), strict=True):
            near = mask[max(0, y - width) : y + width + 1, max(0, x - width) : x + width + 1]
            if ((near != label) & (near != 255)).any():
                found.add((int(y), int(x)))
        return found

    known = truth != 255
    prediction = np.where(known, prediction, 255)
    one, other = band(truth), band(prediction)
    both = one & other
    return len(both) / len(one | other)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_agrees_with_the_definition(dtype: type) -> None:
    generator = np.random.default_rng(3)
    truth = np.kron(generator.integers(0, 3, (5, 6)), np.ones((7, 7), int)).astype(dtype)
    prediction = np.roll(truth, 2, axis=1)
    truth[4:9, 10:20] = 255
    counts = BoundaryCounts(3, 255)
    counts.update(truth, prediction)
    for place, width in enumerate(WIDTHS):
        for label in range(3):
            expected = by_hand(truth, prediction, label, width)
            assert counts.iou[place, label] == pytest.approx(expected)


def test_edges_of_the_picture_and_of_ignored_regions_are_no_borders() -> None:
    mask = np.zeros((9, 9), np.uint8)
    mask[:, 5:] = 255
    assert not near_border(mask, 2, 255).any()
    mask[:, :2] = 1
    assert near_border(mask, 1, 255)[0].tolist() == [False, True, True, *[False] * 6]
    counts = BoundaryCounts(3, 255)
    counts.update(mask, mask)
    assert counts.iou[0, :2].tolist() == [1, 1]
    assert np.isnan(counts.iou[0, 2])


def test_pictures_add_up() -> None:
    truth = np.zeros((8, 8), np.uint8)
    truth[:, 4:] = 1
    counts = BoundaryCounts(2, 255)
    counts.update(truth, truth)
    counts.update(truth, 1 - truth)
    # At 1 px: two columns right in the first picture, four wrong (in truth or not) in the second.
    assert counts.shared[0].tolist() == [8, 8]
    assert counts.either[0].tolist() == [24, 24]
