import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from segnext.inference import masks
from segnext.inference.logits import PictureLogits, Tile, View
from segnext.inference.masks import compute_confidence, compute_mask


def whole(logits: torch.Tensor, height: int, width: int) -> PictureLogits:
    view = View((Tile(logits, 0, 0, height, width),), height, width)
    return PictureLogits((view,), height, width)


def assert_same_labels(mask: np.ndarray, scores: torch.Tensor) -> None:
    """Labels may differ only where the two best scores lie within 1e-5."""
    differs = torch.from_numpy(mask.astype(np.int64)) != scores.argmax(0)
    best = scores.topk(2, dim=0).values
    assert not (differs & ((best[0] - best[1]) > 1e-5)).any()


@pytest.mark.parametrize("size", [(64, 96), (61, 35), (33, 200)])
@pytest.mark.parametrize("band_values", [500, 4_000_000])
def test_equals_interpolate_and_argmax(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], band_values: int
) -> None:
    monkeypatch.setattr(masks, "BAND_VALUES", band_values)
    height, width = size
    logits = torch.randn(7, -(-height // 8), -(-width // 8))
    full = functional.interpolate(logits[None], size=size, mode="bilinear", align_corners=False)[0]
    picture = whole(logits, height, width)
    assert_same_labels(compute_mask(picture), full)
    np.testing.assert_allclose(
        compute_confidence(picture), full.softmax(0).amax(0).numpy(), atol=1e-5
    )


@settings(deadline=None, max_examples=60)
@given(
    grid=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    classes=st.integers(2, 5),
)
def test_equals_interpolate_for_any_size(
    grid: tuple[int, int], size: tuple[int, int], classes: int
) -> None:
    logits = torch.randn(classes, *grid)
    full = functional.interpolate(logits[None], size=size, mode="bilinear", align_corners=False)[0]
    assert_same_labels(compute_mask(whole(logits, *size)), full)


def test_full_resolution_logits_are_never_held(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    sample = masks._sample_view
    monkeypatch.setattr(
        masks, "_sample_view", lambda *args: sizes.append((r := sample(*args)).numel()) or r
    )
    compute_mask(whole(torch.randn(150, 64, 64), 512, 512))
    assert len(sizes) > 3
    assert max(sizes) <= masks.BAND_VALUES
    assert sum(sizes) == 150 * 512 * 512


def test_one_class_is_a_sigmoid_at_one_half() -> None:
    logits = torch.tensor([[[-2.0, 3.0]]])
    picture = whole(logits, 1, 2)
    assert compute_mask(picture).tolist() == [[0, 1]]
    expected = torch.tensor([2.0, 3.0]).sigmoid().numpy()
    np.testing.assert_allclose(compute_confidence(picture)[0], expected, rtol=1e-5)


def test_resized_picture_is_sampled_in_one_step() -> None:
    logits = torch.randn(5, 8, 12)
    view = View((Tile(logits, 0, 0, 64, 96),), 64, 96)
    picture = PictureLogits((view,), 130, 201)
    full = functional.interpolate(
        logits[None], size=(130, 201), mode="bilinear", align_corners=False
    )[0]
    assert_same_labels(compute_mask(picture), full)


def test_windows_equal_summed_upsampled_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masks, "BAND_VALUES", 3000)
    total, count = torch.zeros(4, 64, 100), torch.zeros(64, 100)
    tiles = []
    for top in (0, 24, 32):
        for left in (0, 24, 48, 68):
            logits = torch.randn(4, 4, 4)
            tiles.append(Tile(logits, top, left, 32, 32))
            up = functional.interpolate(logits[None], size=(32, 32), mode="bilinear")[0]
            total[:, top : top + 32, left : left + 32] += up
            count[top : top + 32, left : left + 32] += 1
    picture = PictureLogits((View(tuple(tiles), 64, 100),), 64, 100)
    assert_same_labels(compute_mask(picture), total / count)


def test_views_average_probabilities_and_mirrors_are_turned_back() -> None:
    first, second = torch.randn(3, 4, 6), torch.randn(3, 4, 6)
    views = (
        View((Tile(first, 0, 0, 32, 48),), 32, 48),
        View((Tile(second, 0, 0, 64, 96),), 64, 96, mirrored=True),
    )
    picture = PictureLogits(views, 32, 48)

    def upsample(logits: torch.Tensor) -> torch.Tensor:
        return functional.interpolate(logits[None], size=(32, 48), mode="bilinear")[0].softmax(0)

    expected = (upsample(first) + upsample(second.flip(-1))) / 2
    assert_same_labels(compute_mask(picture), expected)
    np.testing.assert_allclose(compute_confidence(picture), expected.amax(0).numpy(), atol=1e-5)


def test_more_than_255_classes_need_sixteen_bits() -> None:
    logits = torch.zeros(300, 2, 2)
    logits[290] = 1
    mask = compute_mask(whole(logits, 16, 16))
    assert mask.dtype == np.uint16
    assert (mask == 290).all()
