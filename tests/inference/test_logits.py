import numpy as np
import pytest
import torch

from segnext.inference import compute_logits, compute_mask, prepare_image
from segnext.inference.logits import window_starts
from segnext.models import SegNeXt
from segnext.spec import IMAGENET_NORMALIZATION, Protocol


@pytest.mark.parametrize(
    ("length", "window", "stride", "starts"),
    [(100, 100, 50, [0]), (101, 100, 50, [0, 1]), (256, 128, 64, [0, 64, 128]), (30, 100, 9, [0])],
)
def test_windows_end_at_the_edge(length: int, window: int, stride: int, starts: list[int]) -> None:
    assert window_starts(length, window, stride) == starts


def test_whole_picture_is_the_model_itself(smallest_model: SegNeXt) -> None:
    model = smallest_model.eval()
    images = torch.randn(1, 3, 45, 70)
    picture = compute_logits(model, images, Protocol())
    with torch.no_grad():
        assert torch.equal(picture.views[0].tiles[0].logits, model(images)[0])
    assert compute_mask(picture).shape == (45, 70)


def test_a_window_that_covers_the_picture_is_the_whole(smallest_model: SegNeXt) -> None:
    model = smallest_model.eval()
    images = torch.randn(1, 3, 45, 70)
    whole = compute_logits(model, images, Protocol())
    window = compute_logits(model, images, Protocol(window=96, stride=64))
    assert torch.equal(whole.views[0].tiles[0].logits, window.views[0].tiles[0].logits)


def test_windows_cover_everything(smallest_model: SegNeXt) -> None:
    picture = compute_logits(
        smallest_model.eval(), torch.randn(1, 3, 70, 101), Protocol(window=32, stride=24)
    )
    tiles = picture.views[0].tiles
    assert len(tiles) == 3 * 4
    assert {(t.height, t.width) for t in tiles} == {(32, 32)}
    assert compute_mask(picture).shape == (70, 101)


@pytest.mark.parametrize("size", [(1, 1), (5, 40), (31, 64)])
def test_tiny_pictures_are_padded(smallest_model: SegNeXt, size: tuple[int, int]) -> None:
    picture = compute_logits(smallest_model.eval(), torch.randn(1, 3, *size), Protocol())
    assert compute_mask(picture).shape == size


def test_scales_and_mirror_make_views(smallest_model: SegNeXt) -> None:
    protocol = Protocol(short_side=64, scales=(0.5, 1.0), flip=True)
    picture = compute_logits(smallest_model.eval(), torch.randn(1, 3, 48, 96), protocol)
    assert [(v.height, v.width, v.mirrored) for v in picture.views] == [
        (32, 64, False),
        (32, 64, True),
        (64, 128, False),
        (64, 128, True),
    ]
    assert compute_mask(picture).shape == (48, 96)


def test_prepared_image_is_normalised_and_channels_last() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    images = prepare_image(image, IMAGENET_NORMALIZATION, torch.device("cpu"))
    assert images.shape == (1, 3, 40, 50)
    assert images.is_contiguous(memory_format=torch.channels_last)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = (torch.from_numpy(image).float() / 255 - mean) / std
    torch.testing.assert_close(images[0].permute(1, 2, 0), expected)
