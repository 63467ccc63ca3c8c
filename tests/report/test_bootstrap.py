import numpy as np
import pytest

from segnext.report.bootstrap import (
    LEVEL,
    RESAMPLES,
    Units,
    interval_of,
    iou_of,
    mean_defined,
    resample_iou,
)


def counts_of(right: list[int], total: int) -> np.ndarray:
    """One label and the rest: `right` of `total` true pixels of label 0 are found."""
    counts = np.zeros((len(right), 3, 2), np.int64)
    counts[:, 0, 0] = right
    counts[:, 1, 0] = total
    counts[:, 2, 0] = right
    return counts


def alone(number: int) -> Units:
    names = [str(index) for index in range(number)]
    return Units.of(names, names)


def test_iou_and_means_leave_undefined_labels_out() -> None:
    counts = np.array([[2, 0, 0], [4, 1, 0], [3, 0, 0]])
    assert iou_of(counts)[:2].tolist() == [2 / 5, 0]
    assert np.isnan(iou_of(counts)[2])
    assert mean_defined(iou_of(counts)) == pytest.approx(0.2)
    assert np.isnan(mean_defined(np.array([np.nan, np.nan])))


def test_the_interval_is_that_of_the_mean_where_pictures_weigh_alike() -> None:
    generator = np.random.default_rng(5)
    right = generator.integers(300, 900, 200)
    units = alone(200)
    draws = mean_defined(resample_iou(counts_of(right.tolist(), 1000), units))
    assert draws.shape == (RESAMPLES,)
    found = interval_of(draws, units)
    assert found is not None
    # IoU is the mean of right / 1000 here, whose standard error is known.
    center, error = right.mean() / 1000, right.std() / 1000 / 200**0.5
    assert found.low == pytest.approx(center - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(center + 1.96 * error, abs=0.15 * error)
    assert (found.level, found.over, found.units) == (LEVEL, "images", 200)


def test_groups_that_are_alike_inside_widen_it() -> None:
    right = np.repeat(np.random.default_rng(5).integers(300, 900, 20), 10).tolist()
    counts = counts_of(right, 1000)
    names = [str(index) for index in range(200)]
    grouped = Units.of([str(index // 10) for index in range(200)], names)
    assert (grouped.count, grouped.over) == (20, "groups")
    wide = interval_of(mean_defined(resample_iou(counts, grouped)), grouped)
    narrow = interval_of(mean_defined(resample_iou(counts, alone(200))), alone(200))
    assert wide is not None
    assert narrow is not None
    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(10**0.5, rel=0.15)


def test_one_unit_or_no_score_has_no_interval() -> None:
    one = Units.of(["video", "video"], ["a", "b"])
    draws = mean_defined(resample_iou(counts_of([10, 20], 100), one))
    assert interval_of(draws, one) is None
    assert interval_of(np.full(5, np.nan), alone(5)) is None


def test_draws_repeat() -> None:
    counts = counts_of([10, 20, 50], 100)
    first, second = (resample_iou(counts, alone(3)) for _ in range(2))
    assert np.array_equal(first, second, equal_nan=True)
