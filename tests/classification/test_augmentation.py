import numpy as np
import pytest

from segnext.classification.augmentation import (
    CropRule,
    EvaluationView,
    PhotoAugmentation,
    draw_box,
    erase,
    mean_color,
    resize,
)
from segnext.classification.randaugment import Picture
from segnext.errors import UsageError
from segnext.spec import IMAGENET_NORMALIZATION

PLAIN = CropRule(size=16, kind="padded", padding=0)


@pytest.fixture
def photo() -> Picture:
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)


def test_boxes_keep_area_and_shape() -> None:
    rule, rng = CropRule(), np.random.default_rng(0)
    areas, ratios = [], []
    for _ in range(400):
        left, top, right, bottom = draw_box((300, 400), rule, rng)
        assert 0 <= left < right <= 400
        assert 0 <= top < bottom <= 300
        areas.append((right - left) * (bottom - top) / 120_000)
        ratios.append((right - left) / (bottom - top))
    assert 0.078 < min(areas) < 0.12
    assert 0.9 < max(areas) <= 1.0
    assert 0.74 < min(ratios) < 0.8
    assert 1.25 < max(ratios) < 1.35


def test_a_box_that_never_fits_is_central() -> None:
    rule = CropRule(scale_range=(1.0, 1.0))
    box = draw_box((10, 100), rule, np.random.default_rng(0))
    assert box == (43, 0, 56, 10)  # 13 wide: four thirds of the height


def test_shrinking_does_not_alias() -> None:
    lines = np.zeros((64, 64, 3), np.uint8)
    lines[:, ::2] = 255
    for interpolation in ("bilinear", "bicubic"):
        small = resize(lines, (8, 8), interpolation)
        assert np.abs(small[:, 1:-1].astype(int) - 128).max() <= 4


def test_crops_of_both_kinds(photo: Picture) -> None:
    fill = np.array([9, 8, 7], np.uint8)
    for interpolation in ("random", "bilinear", "bicubic"):
        rule = CropRule(size=16, interpolation=interpolation)
        assert rule.draw(photo, np.random.default_rng(0), fill).shape == (16, 16, 3)
    square = photo[:16, :16].copy()
    assert np.array_equal(PLAIN.draw(square, np.random.default_rng(0), fill), square)
    rule = CropRule(size=16, kind="padded", padding=4)
    seen = set()
    for seed in range(60):
        crop = rule.draw(square, np.random.default_rng(seed), fill)
        rim = (crop == fill).all(axis=2)
        seen.add((int(rim.all(axis=1).sum()), int(rim.all(axis=0).sum())))
    assert max(rows for rows, _ in seen) == 4
    assert (0, 0) in seen or len(seen) > 10


def test_erasing_fills_one_rectangle_with_noise() -> None:
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(300):
        image = erase(np.zeros((32, 32, 3), np.float32), rng, 1.0)
        erased = (image != 0).any(axis=2)
        rows, columns = np.flatnonzero(erased.any(axis=1)), np.flatnonzero(erased.any(axis=0))
        assert erased[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert erased.sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        shares.append(erased.mean())
        assert abs(image[erased].mean()) < 1.0
    assert 0.01 < min(shares) < 0.05
    assert 0.3 < max(shares) < 0.36
    untouched = [not erase(np.zeros((8, 8, 3), np.float32), rng, 0.25).any() for _ in range(400)]
    assert np.mean(untouched) == pytest.approx(0.75, abs=0.07)


def test_samples_are_functions_of_the_generator(photo: Picture) -> None:
    augmentation = PhotoAugmentation(CropRule(size=32))
    one, two = (augmentation(photo, np.random.default_rng(3)) for _ in range(2))
    assert one.shape == (3, 32, 32)
    assert one.dtype == np.float32
    assert np.array_equal(one, two)
    assert not np.array_equal(one, augmentation(photo, np.random.default_rng(4)))


def test_nothing_but_a_mirror() -> None:
    square = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    plain = PhotoAugmentation(PLAIN, flip=0.0, randaugment=None, erasing=0.0)
    mirrored = PhotoAugmentation(PLAIN, flip=1.0, randaugment=None, erasing=0.0)
    image = plain(square, np.random.default_rng(0))
    mean, std = (np.array(v, np.float32)[:, None, None] for v in _imagenet())
    np.testing.assert_allclose(image * std + mean, square.transpose(2, 0, 1) / 255, atol=1e-6)
    assert np.array_equal(mirrored(square, np.random.default_rng(0)), image[:, :, ::-1])


def _imagenet() -> tuple[tuple[float, ...], tuple[float, ...]]:
    return IMAGENET_NORMALIZATION.mean, IMAGENET_NORMALIZATION.std


def test_the_view_is_the_middle_of_the_resized_photo() -> None:
    photo = np.zeros((100, 200, 3), np.uint8)
    photo[:, 60:140] = 255
    view = EvaluationView(size=56)
    assert view.describe() == "short side 64, centre 56x56, bicubic"
    seen = view.show(photo)  # 64x128, of which the columns 36-92 are seen: 56-144 of the photo
    assert seen.shape == (56, 56, 3)
    assert seen[:, 4:-4].min() > 250
    assert seen[:, 0].max() < 5
    assert view.show(np.zeros((30, 20, 3), np.uint8)).shape == (56, 56, 3)


def test_small_pictures_are_seen_as_they_are() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    assert np.array_equal(EvaluationView(32, None).show(photo), photo)
    assert EvaluationView(48, None).show(photo).shape == (48, 48, 3)
    wide = np.zeros((32, 40, 3), np.uint8)
    assert EvaluationView(32, None).show(wide).shape == (32, 32, 3)


def test_the_mean_colour_is_nearly_zero() -> None:
    assert mean_color(IMAGENET_NORMALIZATION).tolist() == [124, 116, 104]


def test_wrong_ranges_are_refused() -> None:
    with pytest.raises(UsageError, match=r"shares of the area, .* got \(0.5, 1.5\)"):
        CropRule(scale_range=(0.5, 1.5))
    with pytest.raises(UsageError, match="ratio_range must be positive and ascending"):
        CropRule(ratio_range=(2.0, 1.0))
    with pytest.raises(UsageError, match="crop_share lies in 0-1, such as"):
        EvaluationView(crop_share=1.5)
