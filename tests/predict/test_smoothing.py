import numpy as np
import pytest
import torch

from segnext.errors import UsageError
from segnext.inference import PictureLogits, compute_confidence, compute_mask
from segnext.inference.views import Tile, View
from segnext.predict.smoothing import Smoother

SCENE = np.random.default_rng(0).integers(0, 256, (9, 16, 3), np.uint8).repeat(8, 0).repeat(8, 1)
OTHER = 255 - SCENE


def speak(logits: torch.Tensor, *more: torch.Tensor) -> PictureLogits:
    """Return what a network might have said about a scene: one view per logits (K, 9, 16)."""
    views = tuple(View((Tile(one, 0, 0, 72, 128),), 72, 128) for one in (logits, *more))
    return PictureLogits(views, 72, 128)


def draw(seed: int, classes: int = 4) -> torch.Tensor:
    return 3 * torch.randn(classes, 9, 16, generator=torch.Generator().manual_seed(seed))


def probabilities(picture: PictureLogits) -> torch.Tensor:
    return picture.views[0].tiles[0].logits.softmax(dim=0)


def test_a_first_frame_has_its_own_labels() -> None:
    for picture in (speak(draw(0)), speak(draw(0), draw(1)), speak(draw(0, classes=1))):
        smooth = Smoother(0.8).smooth(SCENE, picture)
        assert np.array_equal(compute_mask(smooth), compute_mask(picture))
        assert compute_confidence(smooth) == pytest.approx(compute_confidence(picture), abs=1e-5)


def test_it_is_the_exponential_average_of_probabilities() -> None:
    smoother = Smoother(0.6)
    expected = None
    for seed in range(5):
        logits = draw(seed)
        now = logits.softmax(dim=0)
        expected = now if expected is None else 0.6 * expected + 0.4 * now
        found = probabilities(smoother.smooth(SCENE, speak(logits)))
        assert torch.allclose(found, expected, atol=1e-6)
    assert smoother.cuts == 0


def test_one_class_is_averaged_as_a_probability() -> None:
    smoother = Smoother(0.5)
    first, second = draw(0, classes=1), draw(1, classes=1)
    smoother.smooth(SCENE, speak(first))
    smooth = smoother.smooth(SCENE, speak(second)).views[0].tiles[0].logits
    assert smooth.shape == (1, 9, 16)
    assert torch.allclose(smooth.sigmoid(), (first.sigmoid() + second.sigmoid()) / 2, atol=1e-6)


def test_a_flicker_of_one_frame_is_calmed_and_a_change_comes_through() -> None:
    smoother = Smoother(0.7)
    road, sky = torch.zeros(2, 9, 16), torch.zeros(2, 9, 16)
    road[0], sky[1] = 2, 2
    said = [road, road, sky, road, sky, sky, sky]
    labels = [compute_mask(smoother.smooth(SCENE, speak(one)))[0, 0] for one in said]
    assert labels == [0, 0, 0, 0, 0, 1, 1]


def test_certainty_never_becomes_infinite() -> None:
    smoother = Smoother(0.5)
    sure = torch.zeros(3, 9, 16)
    sure[1] = 1000
    for _ in range(3):
        smooth = smoother.smooth(SCENE, speak(sure))
    assert torch.isfinite(smooth.views[0].tiles[0].logits).all()
    assert (compute_mask(smooth) == 1).all()


def test_it_starts_anew_at_a_cut() -> None:
    smoother = Smoother(0.9)
    smoother.smooth(SCENE, speak(draw(0)))
    moved = np.roll(SCENE, 1, axis=1)
    assert not torch.allclose(
        probabilities(smoother.smooth(moved, speak(draw(1)))), draw(1).softmax(dim=0), atol=1e-3
    )
    assert smoother.cuts == 0
    after = smoother.smooth(OTHER, speak(draw(2)))
    assert smoother.cuts == 1
    assert torch.allclose(probabilities(after), draw(2).softmax(dim=0), atol=1e-6)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_dark_cut_is_one_and_noise_is_none(kind: type) -> None:
    scale = 1 if kind is np.uint8 else 257
    random = np.random.default_rng(1)
    dark = (SCENE // 5).astype(kind) * scale
    noisy = (SCENE // 5 + random.integers(0, 9, SCENE.shape)).astype(kind) * scale
    smoother = Smoother(0.5)
    for frame, cuts in ((dark, 0), (noisy, 0), ((OTHER // 5).astype(kind) * scale, 1)):
        smoother.smooth(frame, speak(draw(0)))
        assert smoother.cuts == cuts


@pytest.mark.parametrize("bands", [1, 2, 6])
def test_cuts_are_seen_in_any_number_of_bands(bands: int) -> None:
    smoother = Smoother(0.5)
    for frame, cuts in ((SCENE, 0), (SCENE, 0), (OTHER, 1)):
        smoother.smooth(np.concatenate([frame, frame], axis=2)[..., :bands], speak(draw(0)))
        assert smoother.cuts == cuts


@pytest.mark.parametrize("smoothing", [-0.1, 1, 2, float("nan")])
def test_shares_out_of_range_are_refused(smoothing: float) -> None:
    with pytest.raises(UsageError, match="smoothing must be 0 or more and below 1, got"):
        Smoother(smoothing)
