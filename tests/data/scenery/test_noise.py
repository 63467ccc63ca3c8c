import numpy as np
import pytest

from segnext.data.scenery.noise import draw_direction, smooth_noise


@pytest.mark.parametrize(("step", "step_y"), [(1, None), (7, None), (40, 1), (300, 300)])
def test_noise_fills_the_picture_around_zero(step: int, step_y: int | None) -> None:
    noise = smooth_noise(np.random.default_rng(0), 90, 64, step, step_y=step_y)
    assert (noise.shape, noise.dtype) == ((64, 90), np.float32)
    assert np.abs(noise).max() <= 1
    assert noise.std() > 0.1


def test_grains_have_the_size_asked_for() -> None:
    rng = np.random.default_rng(0)
    noise = smooth_noise(rng, 200, 200, 20, step_y=1)
    rough = np.abs(np.diff(noise, axis=0)).mean(), np.abs(np.diff(noise, axis=1)).mean()
    assert rough[0] > 8 * rough[1]


def test_directions_are_unit_vectors_all_around() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([draw_direction(rng) for _ in range(400)])
    np.testing.assert_allclose((drawn**2).sum(1), 1, rtol=1e-12)
    quarters = np.unique(drawn > 0, axis=0, return_counts=True)[1]
    assert quarters.min() > 70
    # Diagonals are no more likely than upright directions, as they would be in a square.
    assert 0.4 < (np.abs(drawn).max(1) < np.cos(np.pi / 8)).mean() < 0.6
