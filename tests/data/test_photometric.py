import numpy as np
import pytest

from segnext.data.images import Image
from segnext.data.photometric import Limits, draw_distortion


def distort(
    image: Image, rng: np.random.Generator, *, limits: Limits | None = None, hue: bool = True
) -> Image:
    return draw_distortion(image, rng, limits=limits, hue=hue).apply(image)


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


def test_narrow_limits_tame_brightness_and_contrast() -> None:
    low, high = (0.01, 0.02), (0.03, 0.08)
    span = (np.array(high) - low) * 65535
    start = np.array(low) * 65535
    image = np.rint(start + span * 0.5).astype(np.uint16) * np.ones((4, 4, 1), np.uint16)
    seen = np.stack(
        [distort(image, np.random.default_rng(s), limits=(low, high))[0, 0] for s in range(100)]
    )
    share = (seen - start) / span
    # The middle moves by 32/255 at most and is then stretched by 0.5 to 1.5.
    assert (0.5 * (0.5 - 32 / 255) - 0.01) < share.min() < 0.25
    assert 0.75 < share.max() < 1.5 * (0.5 + 32 / 255) + 0.01
    assert np.abs(share[:, 0] - share[:, 1]).max() < 0.01


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_limits_of_the_full_scale_change_nothing(kind: type, channels: int) -> None:
    shape = (9, 7, channels)
    image = np.random.default_rng(1).integers(0, np.iinfo(kind).max, shape).astype(kind)
    full = (0.0,) * channels, (1.0,) * channels
    for seed in range(8):
        plain = distort(image, np.random.default_rng(seed))
        limited = distort(image, np.random.default_rng(seed), limits=full)
        assert plain.dtype == limited.dtype == kind
        assert np.array_equal(plain, limited)


def test_each_channel_has_its_own_limits() -> None:
    image = np.full((3, 3, 5), 50, np.uint8)
    limits = (0.0,) * 5, (1.0, 0.5, 0.5, 1.0, 0.1)
    for seed in range(20):
        seen = distort(image, np.random.default_rng(seed), limits=limits)[0, 0].astype(int)
        assert seen[0] == seen[3]
        assert seen[1] == seen[2]
        assert sorted(seen[[0, 1, 4]]) in (seen[[0, 1, 4]].tolist(), seen[[4, 1, 0]].tolist())


def test_hue_can_be_left_alone() -> None:
    red = np.full((4, 4, 3), (180, 40, 40), np.uint8)
    kept = [distort(red, np.random.default_rng(s), hue=False)[0, 0] for s in range(60)]
    turned = [distort(red, np.random.default_rng(s))[0, 0] for s in range(60)]
    assert all(seen[1] == seen[2] for seen in kept)
    assert sum(seen[1] != seen[2] for seen in turned) > 15


def test_hue_draws_the_same_numbers_whether_used_or_not() -> None:
    image = np.full((4, 4, 3), 90, np.uint8)
    one, other = np.random.default_rng(3), np.random.default_rng(3)
    distort(image, one)
    distort(image, other, hue=False)
    assert one.random() == other.random()
