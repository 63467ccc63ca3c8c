"""Each operation against a statement of its own, not against another implementation."""

import numpy as np
import pytest

from segnext.classification.randaugment import (
    OPERATIONS,
    Picture,
    RandAugment,
    autocontrast,
    brightness,
    color,
    contrast,
    equalize,
    invert,
    posterize,
    rotate,
    sharpness,
    shear,
    solarize,
    translate,
)
from segnext.errors import UsageError

FILL = (1, 2, 3)


@pytest.fixture
def photo() -> Picture:
    return np.random.default_rng(0).integers(20, 230, (21, 31, 3)).astype(np.uint8)


def test_autocontrast_fills_the_range(photo: Picture) -> None:
    changed = autocontrast(photo)
    assert changed.min(axis=(0, 1)).tolist() == [0, 0, 0]
    assert changed.max(axis=(0, 1)).tolist() == [255, 255, 255]
    flat = np.full((4, 4, 3), 77, np.uint8)
    assert np.array_equal(autocontrast(flat), flat)


def test_equalize_makes_values_equally_frequent() -> None:
    dark = np.repeat(np.arange(64, dtype=np.uint8), 4).reshape(16, 16)
    changed = equalize(np.repeat(dark[..., None], 3, axis=2))
    assert (changed.min(), changed.max()) == (0, 255)
    steps = np.diff(np.unique(changed).astype(int))
    assert steps.min() >= 3
    assert steps.max() <= 5  # 64 values at about 255 / 63 from each other


def test_invert_twice_is_nothing(photo: Picture) -> None:
    assert np.array_equal(invert(invert(photo)), photo)
    assert invert(photo)[0, 0, 0] == 255 - photo[0, 0, 0]


def test_posterize_keeps_upper_bits(photo: Picture) -> None:
    assert np.array_equal(posterize(photo, 0.0), photo)
    assert np.array_equal(posterize(photo, 1.0), photo // 16 * 16)
    assert np.array_equal(posterize(photo, 0.5), photo // 4 * 4)


def test_solarize_inverts_light_values(photo: Picture) -> None:
    assert np.array_equal(solarize(photo, 0.0), photo)
    assert np.array_equal(solarize(photo, 1.0), 255 - photo)
    half = solarize(photo, 0.5)
    assert np.array_equal(half, np.where(photo >= 128, 255 - photo, photo))


def test_blends_start_from_the_picture(photo: Picture) -> None:
    for operation in (color, contrast, brightness, sharpness):
        assert np.array_equal(operation(photo, 1.0), photo)


def test_color_contrast_and_brightness_at_their_ends(photo: Picture) -> None:
    grey = color(photo, 0.0)
    assert np.ptp(grey.astype(int), axis=2).max() == 0
    assert np.ptp(contrast(photo, 0.0)) == 0
    assert contrast(photo, 1.5).std() > 1.3 * photo.std()
    assert not brightness(photo, 0.0).any()
    doubled = brightness(photo, 1.9).astype(int)
    assert np.abs(doubled - np.minimum(255, np.rint(1.9 * photo))).max() == 0


def test_sharpness_smooths_and_sharpens_but_for_the_rim(photo: Picture) -> None:
    smooth, sharp = sharpness(photo, 0.1), sharpness(photo, 1.9)
    inner = (slice(1, -1), slice(1, -1))
    assert smooth[inner].std() < photo[inner].std() < sharp[inner].std()
    rim = np.ones(photo.shape[:2], bool)
    rim[inner] = False
    assert np.array_equal(smooth[rim], photo[rim])
    point = np.zeros((5, 5, 3), np.uint8)
    point[2, 2] = 130
    assert sharpness(point, 0.0)[1:4, 1:4, 0].tolist() == [[10, 10, 10], [10, 50, 10], [10, 10, 10]]


def test_a_quarter_turn_is_one() -> None:
    square = np.random.default_rng(1).integers(0, 255, (9, 9, 3)).astype(np.uint8)
    assert np.array_equal(rotate(square, 90.0, FILL), np.rot90(square))
    assert np.array_equal(rotate(square, 0.0, FILL), square)
    assert rotate(square, 45.0, FILL)[0, 0].tolist() == list(FILL)


def test_shear_moves_rows_by_their_distance_from_the_middle() -> None:
    column = np.zeros((5, 9, 3), np.uint8)
    column[:, 4] = 200
    moved = shear(column, 1.0, 0.0, FILL)
    assert [int(row[:, 0].argmax()) for row in moved] == [2, 3, 4, 5, 6]
    row = column.transpose(1, 0, 2).copy()
    assert np.array_equal(shear(row, 0.0, 1.0, FILL), moved.transpose(1, 0, 2))


def test_translate_moves_by_shares(photo: Picture) -> None:
    square = photo[:20, :20].copy()
    moved = translate(square, 0.25, 0.0, FILL)
    assert np.array_equal(moved[:, 5:], square[:, :-5])
    assert (moved[:, :5] == FILL).all()
    moved = translate(square, 0.0, -0.1, FILL)
    assert np.array_equal(moved[:-2], square[2:])


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_keep_shape_and_grow_with_the_level(name: str, photo: Picture) -> None:
    def distance(level: float) -> float:
        changed = OPERATIONS[name](photo, level, 1.0, FILL)
        assert changed.shape == photo.shape
        assert changed.dtype == np.uint8
        return float(np.abs(changed.astype(int) - photo).mean())

    if name in ("autocontrast", "equalize", "invert"):  # have no strength
        assert distance(0.0) == distance(1.0)
    else:
        assert distance(0.0) == 0.0
        assert distance(0.3) <= distance(1.0)
        assert distance(1.0) > 0.0


def test_fourteen_operations() -> None:
    assert len(OPERATIONS) == 14


def test_it_is_a_function_of_the_generator(photo: Picture) -> None:
    augment = RandAugment()
    one, two = (augment(photo, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one, two)
    changed = sum(
        not np.array_equal(augment(photo, np.random.default_rng(seed)), photo) for seed in range(40)
    )
    assert 20 <= changed <= 38  # both operations are skipped in a quarter of the pictures
    rng = np.random.default_rng(5)
    RandAugment(operations=0)(photo, rng)
    assert rng.random() == np.random.default_rng(5).random()


def test_magnitudes_are_checked() -> None:
    with pytest.raises(UsageError, match="lies in 0-10, got 11"):
        RandAugment(magnitude=11.0)
