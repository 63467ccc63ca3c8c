import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segnext.errors import UsageError
from segnext.training.losses import CLASS_WEIGHTS, compute_class_weights


def test_inverse_by_hand() -> None:
    # Shares 0.5, 0.25, 0.25: weights 2 : 4 : 4, whose pixel mean 0.5 * 2 + 0.5 * 4 = 3.
    found = compute_class_weights("inverse", (200, 100, 100), (400, 400, 400))
    assert found == pytest.approx((2 / 3, 4 / 3, 4 / 3))


def test_median_frequency_by_hand() -> None:
    # Frequencies 200/400, 100/400, 100/100: median 0.5, weights 1, 2, 0.5; pixel mean 450/400.
    found = compute_class_weights("median_frequency", (200, 100, 100), (400, 400, 100))
    assert found == pytest.approx((1 / 1.125, 2 / 1.125, 0.5 / 1.125))


def test_enet_by_hand() -> None:
    raw = (1 / math.log(1.02 + 0.75), 1 / math.log(1.02 + 0.25))
    mean = 0.75 * raw[0] + 0.25 * raw[1]
    found = compute_class_weights("enet", (300, 100), (400, 400))
    assert found == pytest.approx((raw[0] / mean, raw[1] / mean))


def test_the_cap_by_hand() -> None:
    # Inverse shares 1 : 99 are cut to 1 : 4; pixel mean 0.99 * 1 + 0.01 * 4 = 1.03.
    found = compute_class_weights("inverse", (99, 1), (100, 100), cap=4)
    assert found == pytest.approx((1 / 1.03, 4 / 1.03))


@pytest.mark.parametrize("method", CLASS_WEIGHTS)
def test_absent_classes_get_one_and_change_nothing(method: str) -> None:
    present = compute_class_weights(method, (70, 30), (100, 60))
    found = compute_class_weights(method, (70, 0, 30), (100, 0, 60))
    assert found == pytest.approx((present[0], 1, present[1]))
    assert compute_class_weights(method, (0, 0), (0, 0)) == (1, 1)


@given(
    method=st.sampled_from(CLASS_WEIGHTS),
    pixels=st.lists(st.integers(0, 10**12), min_size=1, max_size=8),
    cap=st.floats(1, 1e6),
)
def test_any_counts_give_bounded_weights_of_mean_one(
    method: str, pixels: list[int], cap: float
) -> None:
    weights = compute_class_weights(method, pixels, [2 * count for count in pixels], cap=cap)
    assert all(math.isfinite(weight) and weight > 0 for weight in weights)
    assert max(weights) <= cap * min(weights) * (1 + 1e-9)
    if sum(pixels):
        mean = sum(n * w for n, w in zip(pixels, weights, strict=True)) / sum(pixels)
        assert mean == pytest.approx(1)


def test_wrong_arguments_are_named() -> None:
    expected = r"unknown class weights 'median': did you mean median_frequency\? valid: enet, "
    with pytest.raises(UsageError, match=expected):
        compute_class_weights("median", (1,), (1,))
    with pytest.raises(UsageError, match=r"cap of class weights must be at least 1, got 0\.5"):
        compute_class_weights("inverse", (1,), (1,), cap=0.5)
