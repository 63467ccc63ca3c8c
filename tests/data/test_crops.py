import cv2
import numpy as np
import pytest

from segnext.data.crops import (
    Turning,
    Window,
    dominated_by_one_class,
    draw_rare_pixel,
    draw_window,
)


def ramps(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions painted into both: channel 0 holds y, channel 1 holds x; the mask holds x."""
    ys, xs = np.mgrid[:height, :width]
    image = np.stack([ys * 300, xs * 300], axis=2).astype(np.uint16)
    return image, xs.astype(np.uint8)


@pytest.mark.parametrize("scale", [0.37, 0.5, 1.0, 1.7, 2.0])
def test_image_and_mask_are_aligned_to_the_pixel(scale: float) -> None:
    image, mask = ramps(120, 160)
    scaled = round(120 * scale), round(160 * scale)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        window = draw_window((120, 160), scaled, (40, 50), None, rng)
        rows, columns = window.size
        seen = window.show(image, cv2.INTER_LINEAR) / 300
        labels = window.show(mask, cv2.INTER_NEAREST_EXACT)
        assert seen.shape == (rows, columns, 2)
        assert window.size == (min(40, scaled[0]), min(50, scaled[1]))
        ys = window.top + (np.arange(rows) + 0.5) * window.source[0] / rows - 0.5
        xs = window.left + (np.arange(columns) + 0.5) * window.source[1] / columns - 0.5
        # At the window's own edge its last pixel is repeated.
        ys = ys.clip(window.top, window.top + window.source[0] - 1)
        xs = xs.clip(window.left, window.left + window.source[1] - 1)
        np.testing.assert_allclose(seen[:, 0, 0], ys, atol=1 / 32 + 1e-3)
        np.testing.assert_allclose(seen[0, :, 1], xs, atol=1 / 32 + 1e-3)
        assert np.abs(labels[0] - xs).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("scale", [0.5, 0.8, 1.0, 1.3, 2.0])
def test_the_scale_is_the_one_drawn_to_half_a_pixel(scale: float) -> None:
    scaled = round(500 * scale), round(700 * scale)
    window = draw_window((500, 700), scaled, (256, 320), None, np.random.default_rng(0))
    for source, size, drawn, whole in zip(
        window.source, window.size, scaled, (500, 700), strict=True
    ):
        assert abs(source - size * whole / drawn) <= 0.5


def test_a_small_picture_is_shown_whole() -> None:
    window = draw_window((30, 200), (45, 300), (64, 64), None, np.random.default_rng(0))
    assert (window.top, window.source[0], window.size) == (0, 30, (45, 64))


def test_every_place_is_drawn_and_none_beyond_the_picture() -> None:
    rng = np.random.default_rng(0)
    tops = [draw_window((50, 40), (50, 40), (32, 32), None, rng).top for _ in range(400)]
    assert set(tops) == set(range(19))


@pytest.mark.parametrize("channels", [1, 3, 4, 6])
@pytest.mark.parametrize("mode", [cv2.INTER_LINEAR, cv2.INTER_NEAREST_EXACT])
def test_any_channel_count_keeps_its_order(channels: int, mode: int) -> None:
    image = np.arange(channels, dtype=np.uint16) * np.ones((50, 60, 1), np.uint16)
    seen = Turning(flipped=True).apply(Window(3, 4, (40, 30), (50, 45)).show(image, mode))
    assert seen.shape == (50, 45, channels)
    assert seen[3, 3].tolist() == list(range(channels))


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("upside_down", [False, True])
def test_turned_crop_is_the_crop_turned(turns: int, flipped: bool, upside_down: bool) -> None:
    image = np.random.default_rng(0).integers(0, 65536, (40, 56, 6), dtype=np.uint16)
    expected = image[:, ::-1] if flipped else image
    expected = np.rot90(expected[::-1] if upside_down else expected, turns)
    turning = Turning(flipped, upside_down, turns)
    for pixels, turned in ((image, expected), (image[..., 0], expected[..., 0])):
        found = turning.apply(pixels)
        assert np.array_equal(found, turned)
        assert found.flags["C_CONTIGUOUS"]


@pytest.mark.parametrize(
    ("labels", "dominated"),
    [([0] * 8, True), ([0] * 6 + [1] * 2, True), ([0] * 5 + [1] * 3, False), ([255] * 8, True)],
)
def test_dominated_counts_valid_pixels_only(labels: list[int], dominated: bool) -> None:
    mask = np.array(labels + [255] * 20, np.uint8)
    assert dominated_by_one_class(mask, 255) is dominated


def test_rare_pixels_are_drawn_uniformly() -> None:
    mask = np.zeros((5, 7), np.uint8)
    places = [(0, 0), (0, 6), (2, 3), (4, 0), (4, 6)]
    for place in places:
        mask[place] = 4
    rng = np.random.default_rng(0)
    drawn = [draw_rare_pixel(mask, (4,), rng) for _ in range(1000)]
    assert {place: drawn.count(place) for place in places} == pytest.approx(
        dict.fromkeys(places, 200), abs=50
    )
