from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from segnext.data.statistics import (
    PixelStatistics,
    build_normalization,
    compute_statistics,
    count_values,
    spread_sample,
)
from segnext.data.transforms import nodata_pixels, normalize
from segnext.errors import DataError
from segnext.spec import Normalization


def _deep() -> np.ndarray:
    """Two bands of 16 bits: a ramp and a constant."""
    ramp = np.linspace(0, 65535, 40 * 50).reshape(40, 50)
    return np.stack([ramp, np.full_like(ramp, 6553.5)], -1).astype(np.uint16)


def _measure(*images: np.ndarray) -> PixelStatistics:
    return compute_statistics(
        count_values(image, np.zeros(image.shape[:2], np.bool_)) for image in images
    )


def _normalize_as_measured(image: np.ndarray, *, nodata: float) -> Normalization:
    counts = count_values(image, nodata_pixels(image, nodata))
    return build_normalization(compute_statistics([counts]), nodata=nodata)


def _expected(images: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    """Return percentiles, mean and std from the pixels themselves."""
    pixels = np.concatenate(
        [image.reshape(-1, image.shape[2]) / np.iinfo(image.dtype).max for image in images]
    )
    limits = np.percentile(pixels, (0.5, 50, 99.5), axis=0, method="inverted_cdf")
    clipped = pixels.clip(limits[0], limits[2])
    return (*limits, clipped.mean(axis=0), clipped.std(axis=0))


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.sampled_from([np.uint8, np.uint16]).flatmap(
            lambda dtype: arrays.arrays(
                dtype, st.tuples(st.integers(1, 9), st.integers(1, 40), st.just(2))
            )
        ),
        min_size=1,
        max_size=3,
    )
)
def test_statistics_are_those_of_the_pixels(images: list[np.ndarray]) -> None:
    found = _measure(*images)
    for measured, expected in zip(
        (found.low, found.median, found.high, found.mean, found.std), _expected(images), strict=True
    ):
        np.testing.assert_allclose(measured, expected, rtol=0, atol=1e-9)


def test_glaring_pixels_do_not_count() -> None:
    """996 pixels of 100 or 102 in turn, two dead and two glaring ones."""
    image = np.resize(np.array([100, 102], np.uint8), 1000).reshape(10, 100, 1)
    image[0, :2], image[0, 2:4] = 0, 255
    found = _measure(image)
    assert (found.low, found.high) == ((100 / 255,), (102 / 255,))
    assert found.mean == pytest.approx((101 / 255,))
    assert found.std == pytest.approx((1 / 255,))


def test_nodata_is_left_out() -> None:
    """A pixel counts as soon as one channel was observed."""
    image = np.array([[[9, 9], [9, 51], [51, 51]]], np.uint8)
    found = _normalize_as_measured(image, nodata=9)
    assert found.mean == pytest.approx((30 / 255, 51 / 255))
    assert found.std == pytest.approx((21 / 255, 1e-3))
    assert found.nodata == 9


def test_nothing_but_nodata() -> None:
    with pytest.raises(DataError, match="no pixel of the pictures read holds data: all have the"):
        _normalize_as_measured(np.full((4, 5, 1), 7, np.uint8), nodata=7)


def test_others_are_measured_in_units_of_full_scale() -> None:
    found = build_normalization(_measure(*[_deep()] * 3))
    assert found.mean == pytest.approx((0.5, 0.1), abs=1e-3)
    assert found.std[0] == pytest.approx(1 / 12**0.5, abs=1e-3)
    assert found.std[1] == pytest.approx(1e-3)  # a constant band stays finite
    assert found.low == pytest.approx((0.005, 0), abs=1e-3)
    assert found.high == pytest.approx((0.995, 1), abs=1e-3)


def test_a_channel_of_one_value_is_not_clipped() -> None:
    """Three pixels in a thousand carry all that the first channel tells."""
    image = np.zeros((10, 100, 2), np.uint8)
    image[0, :3, 0] = 200
    image[..., 1] = np.arange(100)
    found = build_normalization(_measure(image))
    assert (found.low, found.high) == ((0.0, 0.0), (1.0, 99 / 255))


def test_images_are_clipped_as_they_were_measured() -> None:
    """Hand-computed: (clip(v / 255, 0.2, 0.6) - 0.4) / 0.1."""
    image = np.array([[[0], [51], [102], [204]]], np.uint8)
    normalization = Normalization((0.4,), (0.1,), low=(0.2,), high=(0.6,))
    found = normalize(image, normalization)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.reshape(-1), [-2, -2, 0, 2], atol=1e-6)
    deep = image.astype(np.uint16) * 257
    np.testing.assert_array_equal(normalize(deep, normalization), found)


def test_channels_are_clipped_apart() -> None:
    image = np.full((1, 1, 2), 102, np.uint8)
    found = normalize(image, Normalization((0, 0), (1, 1), low=(0.5, 0.1), high=(0.6, 0.3)))
    np.testing.assert_allclose(found.reshape(-1), [0.5, 0.3], atol=1e-6)


def test_a_normalised_data_set_has_mean_0_and_std_1() -> None:
    image = np.random.default_rng(0).gamma(2, 900, (64, 64, 3)).astype(np.uint16)
    image[:2] = 65535
    image[2:8] = 0
    normalization = _normalize_as_measured(image, nodata=0)
    found = normalize(image, normalization)
    assert (found[2:8] == 0).all()
    observed = found[~nodata_pixels(image, 0)]
    np.testing.assert_allclose(observed.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(observed.std(axis=0), 1, atol=1e-4)


def test_nodata_can_be_told_where_values_no_longer_tell() -> None:
    image = np.array([[[3], [0], [7]]], np.uint8)
    normalization = Normalization((0.5,), (0.5,), nodata=0)
    assert normalize(image, normalization)[0, 1] == 0
    missing = np.array([[True, False, False]])
    found = normalize(image, normalization, missing)
    np.testing.assert_allclose(found.reshape(-1), [0, -1, 14 / 255 - 1], atol=1e-6)


@pytest.mark.parametrize(
    ("nodata", "expected"),
    [
        (None, [0, 0, 0]),
        (0, [1, 0, 0]),
        (0.0, [1, 0, 0]),
        (255, [0, 0, 1]),
        (0.5, [0, 0, 0]),
        (-9999, [0, 0, 0]),
        (65535, [0, 0, 0]),
        (float("nan"), [0, 0, 0]),
    ],
)
def test_nodata_pixels_have_it_in_every_channel(nodata: float | None, expected: list[bool]) -> None:
    image = np.array([[[0, 0], [0, 255], [255, 255]]], np.uint8)
    assert nodata_pixels(image, nodata).tolist() == [expected]


def test_samples_are_spread_over_everything() -> None:
    assert spread_sample(3, 10) == [0, 1, 2]
    assert spread_sample(101, 5) == [0, 25, 50, 75, 100]
