import cv2
import numpy as np
import pytest

from segnext.data.transforms import (
    Augmentation,
    TrainTransform,
    crop_matrix,
    distort,
    dominated_by_one_class,
    normalize,
    warp,
)
from segnext.errors import UsageError
from segnext.spec import IMAGENET_NORMALIZATION, Normalization

PLAIN = Normalization((0.0,), (1.0,))


def ramps(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions painted into both: channel 0 holds y, channel 1 holds x; the mask holds x."""
    ys, xs = np.mgrid[:height, :width]
    image = np.stack([ys * 300, xs * 300], axis=2).astype(np.uint16)
    return image, xs.astype(np.uint8)


@pytest.mark.parametrize("scale", [0.37, 0.5, 1.0, 1.7, 2.0])
@pytest.mark.parametrize("flipped", [False, True])
def test_image_and_mask_are_aligned_to_the_pixel(scale: float, flipped: bool) -> None:
    image, mask = ramps(120, 160)
    scaled = round(120 * scale), round(160 * scale)
    size = (min(40, scaled[0]), min(50, scaled[1]))
    corner = (scaled[0] - size[0]) // 2, (scaled[1] - size[1]) // 2
    matrix = crop_matrix((120, 160), scaled, corner, size, flipped=flipped)
    seen = warp(image, matrix, size, cv2.INTER_LINEAR) / 300
    labels = warp(mask, matrix, size, cv2.INTER_NEAREST)
    columns = np.arange(size[1])[:: -1 if flipped else 1]
    expected_x = (corner[1] + columns + 0.5) * 160 / scaled[1] - 0.5
    expected_y = (corner[0] + np.arange(size[0]) + 0.5) * 120 / scaled[0] - 0.5
    inside_x = (expected_x >= 0) & (expected_x <= 159)
    inside_y = (expected_y >= 0) & (expected_y <= 119)
    # OpenCV interpolates on a grid of 1/32 pixel.
    np.testing.assert_allclose(seen[0, inside_x, 1], expected_x[inside_x], atol=1 / 32 + 1e-3)
    np.testing.assert_allclose(seen[inside_y, 0, 0], expected_y[inside_y], atol=1 / 32 + 1e-3)
    assert np.abs(labels[0, inside_x] - expected_x[inside_x]).max() <= 0.5 + 1 / 32


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.3])
def test_crop_equals_resizing_everything_and_cutting(scale: float) -> None:
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.integers(0, 256, (90, 120, 3), dtype=np.uint8), (5, 5), 0)
    scaled = round(90 * scale), round(120 * scale)
    whole = cv2.resize(image, (scaled[1], scaled[0]), interpolation=cv2.INTER_LINEAR)
    matrix = crop_matrix((90, 120), scaled, (7, 9), (32, 33), flipped=False)
    seen = warp(image, matrix, (32, 33), cv2.INTER_LINEAR)
    difference = np.abs(seen.astype(int) - whole[7:39, 9:42].astype(int))
    assert difference.max() <= 3
    assert difference.mean() < 0.5


@pytest.mark.parametrize("channels", [1, 3, 4, 6])
def test_any_channel_count_keeps_its_order(channels: int) -> None:
    image = np.arange(channels, dtype=np.uint16) * np.ones((50, 60, 1), np.uint16)
    matrix = crop_matrix((50, 60), (50, 60), (0, 0), (40, 40), flipped=True)
    assert warp(image, matrix, (40, 40), cv2.INTER_LINEAR)[3, 3].tolist() == list(range(channels))


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


@pytest.mark.parametrize(
    ("labels", "dominated"),
    [([0] * 8, True), ([0] * 6 + [1] * 2, True), ([0] * 5 + [1] * 3, False), ([255] * 8, True)],
)
def test_dominated_counts_valid_pixels_only(labels: list[int], dominated: bool) -> None:
    mask = np.array(labels + [255] * 20, np.uint8)
    assert dominated_by_one_class(mask, 255) is dominated


def test_distortion_keeps_type_and_reaches_its_bounds() -> None:
    image = np.full((8, 8, 3), 100, np.uint8)
    seen = np.stack([distort(image, np.random.default_rng(s))[0, 0] for s in range(300)])
    assert seen.dtype == np.uint8
    assert 30 <= seen.min() <= 50
    assert 160 <= seen.max() <= 198
    unchanged = (seen == 100).all(1).mean()
    assert 0.1 < unchanged < 0.4


def test_distortion_of_sixteen_bit_bands_moves_brightness_and_contrast_only() -> None:
    image = (np.arange(5, dtype=np.uint16) * 5000 + 9000) * np.ones((4, 4, 1), np.uint16)
    for seed in range(30):
        seen = distort(image, np.random.default_rng(seed))
        assert seen.dtype == np.uint16
        steps = np.diff(seen[0, 0].astype(int))
        inside = (seen[0, 0] > 0) & (seen[0, 0] < 65535)
        if inside.all():
            assert steps.max() - steps.min() <= 1


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
    ],
)
def test_wrong_options_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Augmentation(**options)
