from typing import Any

import numpy as np
import pytest

from segnext.data.crops import dominated_by_one_class, draw_rare_pixel
from segnext.data.transforms import (
    Augmentation,
    TrainTransform,
    normalize,
)
from segnext.errors import UsageError
from segnext.spec import IMAGENET_NORMALIZATION, Normalization

PLAIN = Normalization((0.0,), (1.0,))
PLAIN_PAIR = Normalization((0.0, 0.0), (1.0, 1.0))


def test_sample_has_the_crop_size_and_padding_is_ignored() -> None:
    transform = TrainTransform(
        Augmentation((64, 64), scale_range=(0.5, 0.5), flip=0, photometric=False),
        IMAGENET_NORMALIZATION,
    )
    image = np.full((80, 40, 3), 200, np.uint8)
    mask = np.zeros((80, 40), np.uint8)
    padded, target = transform(image, mask, np.random.default_rng(0))
    assert padded.shape == (3, 64, 64)
    assert target.shape == (64, 64)
    assert (target[:40, :20] == 0).all()
    assert (target[40:] == 255).all()
    assert (target[:, 20:] == 255).all()
    assert (padded[:, 40:] == 0).all()
    expected = (200 / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    np.testing.assert_allclose(padded[:, 5, 5], expected, rtol=1e-5)


def test_base_size_is_a_box_that_the_picture_just_fits() -> None:
    augmentation = Augmentation((32, 32), base_size=(200, 50), scale_range=(1, 1))
    transform = TrainTransform(augmentation, PLAIN)
    rng = np.random.default_rng(0)
    assert transform._draw_scaled_size(100, 100, rng) == (50, 50)
    assert transform._draw_scaled_size(100, 800, rng) == (25, 200)
    assert transform._draw_scaled_size(800, 100, rng) == (200, 25)


def test_same_generator_state_gives_the_same_sample() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)
    mask = rng.integers(0, 4, (90, 120), dtype=np.uint8)
    transform = TrainTransform(Augmentation((64, 64)), IMAGENET_NORMALIZATION)
    first = transform(image, mask, np.random.default_rng(5))
    again = transform(image, mask, np.random.default_rng(5))
    other = transform(image, mask, np.random.default_rng(6))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_crop_is_drawn_again_until_classes_mix() -> None:
    mask = np.zeros((64, 400), np.uint8)
    mask[:, 360:] = 1
    image = np.zeros((64, 400, 3), np.uint8)
    transform = TrainTransform(
        Augmentation((64, 64), scale_range=(1, 1), photometric=False), IMAGENET_NORMALIZATION
    )
    mixed = [
        (transform(image, mask, np.random.default_rng(seed))[1] == 1).mean() > 0.25
        for seed in range(60)
    ]
    # A single draw succeeds in 24 of 337 places, ten draws in about half of the samples.
    assert np.mean(mixed) > 0.3


def test_both_depths_of_one_picture_give_the_same_input() -> None:
    eight = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    sixteen = eight.astype(np.uint16) * 257
    np.testing.assert_allclose(
        normalize(eight, IMAGENET_NORMALIZATION),
        normalize(sixteen, IMAGENET_NORMALIZATION),
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop_size": (16, 64)}, r"crop \(16, 64\) is below the network's least size"),
        ({"crop_size": (64, 64), "scale_range": (2, 1)}, "positive and ascending"),
        ({"crop_size": (64, 64), "flip": 2}, "flip is a probability, got 2"),
        ({"crop_size": (64, 64), "flip_vertical": -1}, "flip_vertical is a probability, got -1"),
        ({"crop_size": (64, 64), "rare_crop": 1.5}, r"rare_crop is a probability, got 1\.5"),
        ({"crop_size": (64, 64), "rare_crop": 0.5}, r"rare_crop 0\.5 needs rare_classes"),
        (
            {"crop_size": (64, 64), "rare_crop": 0.5, "rare_classes": (3, -1)},
            r"rare_classes are train ids, 0 or more, got \(3, -1\)",
        ),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Augmentation(**options)


def sample(mask: np.ndarray, seed: int, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """One sample at scale 1 whose picture shows the position of each pixel."""
    ys, xs = np.mgrid[: mask.shape[0], : mask.shape[1]]
    image = np.stack([ys, xs], axis=2).astype(np.uint8)
    options = {"crop_size": (64, 64), "scale_range": (1, 1), "flip": 0, **options}
    transform = TrainTransform(Augmentation(photometric=False, **options), PLAIN_PAIR)
    image, mask = transform(image, mask, np.random.default_rng(seed))
    return np.rint(image * 255).astype(np.uint8), mask


def test_every_turn_and_flip_is_drawn() -> None:
    mask = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    seen = [sample(mask, s, rotate90=True, flip=0.5, flip_vertical=0.5) for s in range(120)]
    corners = {(int(cut[0, 0]), int(cut[0, 1])) for _, cut in seen}
    assert len(corners) == 8  # all symmetries of the square
    for image, cut in seen:
        assert np.array_equal(image[0].astype(int) * 64 + image[1], cut)


def test_turned_oblong_crops_keep_their_size() -> None:
    mask = np.zeros((50, 40), np.uint8)
    filled = set()
    for seed in range(12):
        _, cut = sample(mask, seed, crop_size=(32, 64), rotate90=True)
        assert cut.shape == (32, 64)
        rows, columns = np.nonzero(cut != 255)
        filled.add((rows.max() + 1, columns.max() + 1))
    # Turned sideways, the long side of the crop lies along the picture's height.
    assert filled == {(32, 40), (32, 50)}


def rare_scene() -> np.ndarray:
    mask = np.zeros((300, 400), np.uint8)
    mask[150:, 200:] = 1
    mask[20, 30] = 2
    mask[290:300, 380:400] = 3
    return mask


def test_rare_crops_show_each_rare_class_equally_often() -> None:
    mask, drawn = rare_scene(), []
    for seed in range(200):
        _, cut = sample(mask, seed, rare_crop=1.0, rare_classes=(2, 3, 9))
        drawn.append([label in cut for label in (2, 3)])
    assert np.all(np.any(drawn, axis=1))
    assert 0.4 < np.mean(drawn, axis=0)[0] < 0.6


def test_rare_pixel_lies_anywhere_in_the_crop() -> None:
    mask = np.zeros((200, 200), np.uint8)
    mask[100, 100] = 2
    spots = []
    for seed in range(300):
        _, cut = sample(mask, seed, rare_crop=1.0, rare_classes=(2,))
        spots.append(np.argwhere(cut == 2)[0])
    assert np.min(spots) <= 2
    assert np.max(spots) >= 61
    assert np.abs(np.mean(spots, axis=0) - 31.5).max() < 4


@pytest.mark.parametrize("scale", [1.0, 1.6, 2.0])
def test_rare_pixel_is_kept_by_scales_turns_and_borders(scale: float) -> None:
    for place in ((0, 0), (79, 99), (0, 57), (41, 99)):
        mask = np.zeros((80, 100), np.uint8)
        mask[place] = 1
        for seed in range(10):
            options = {"scale_range": (scale, scale), "flip": 0.5, "rotate90": True}
            _, cut = sample(mask, seed, rare_crop=1.0, rare_classes=(1,), **options)
            assert (cut == 1).any()


def test_rare_crops_are_as_frequent_as_asked() -> None:
    mask = np.zeros((300, 400), np.uint8)
    mask[:, ::2] = 1  # mixed everywhere: no free crop is drawn twice
    mask[20, 30] = 2
    hits = [(sample(mask, s, rare_crop=0.5, rare_classes=(2,))[1] == 2).any() for s in range(200)]
    assert 0.4 < np.mean(hits) < 0.65


def test_without_rare_pixels_the_crop_is_free() -> None:
    mask = rare_scene()
    _, cut = sample(mask, 0, rare_crop=1.0, rare_classes=(7,))
    assert not dominated_by_one_class(cut, 255)
    assert draw_rare_pixel(mask, (7,), np.random.default_rng(0)) is None


def test_options_that_are_off_change_no_sample() -> None:
    mask = rare_scene()
    for seed in range(20):
        plain = sample(mask, seed, flip=0.5)
        off = sample(mask, seed, flip=0.5, rare_crop=0.0, rare_classes=(2, 3), flip_vertical=0.0)
        assert all(np.array_equal(one, other) for one, other in zip(plain, off, strict=True))


def test_unobserved_pixels_are_ignored_and_stay_at_the_mean() -> None:
    image = np.full((64, 64, 2), 3000, np.uint16)
    image[:, :20] = 0
    image[0, 40, 0] = 0  # dark in one channel only
    mask = np.tile(np.arange(64, dtype=np.uint8) % 2, (64, 1))
    normalization = Normalization((0.04,) * 2, (0.01,) * 2, (0.0,) * 2, (0.1,) * 2, nodata=0)
    transform = TrainTransform(Augmentation((64, 64), scale_range=(1, 1), flip=0), normalization)
    for seed in range(10):
        seen, target = transform(image, mask, np.random.default_rng(seed))
        assert (seen[:, :, :20] == 0).all()
        assert (target[:, :20] == 255).all()
        assert np.array_equal(target[:, 20:], mask[:, 20:])
        assert (seen[:, 1:, 20:] != 0).all()
