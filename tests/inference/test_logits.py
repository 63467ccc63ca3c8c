import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional

from segnext.inference import (
    compute_logits,
    compute_mask,
    compute_picture_logits,
    prepare_image,
)
from segnext.inference.views import _resample, window_starts
from segnext.models import SegNeXt
from segnext.protocol import Protocol
from segnext.spec import IMAGENET_NORMALIZATION, Normalization


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


def test_windows_follow_the_grid_of_the_library() -> None:
    for length in range(32, 200, 7):
        for window, stride in ((32, 20), (48, 48), (64, 9)):
            count = max(length - window + stride - 1, 0) // stride + 1
            ends = [min(index * stride + window, length) for index in range(count)]
            expected = [max(end - window, 0) for end in ends]
            assert window_starts(length, min(window, length), stride) == expected


def test_padding_is_zero_on_the_right_and_below(smallest_model: SegNeXt) -> None:
    model = smallest_model.eval()
    images = torch.randn(1, 3, 45, 70)
    picture = compute_logits(model, images, Protocol(pad_to_multiple=32))
    view = picture.views[0]
    assert (view.height, view.width) == (45, 70)
    assert (view.tiles[0].height, view.tiles[0].width) == (64, 96)
    with torch.no_grad():
        expected = model(functional.pad(images, (0, 26, 0, 19)))[0]
    assert torch.equal(view.tiles[0].logits, expected)


def test_a_mirrored_picture_is_padded_after_it_is_mirrored(smallest_model: SegNeXt) -> None:
    model = smallest_model.eval()
    images = torch.randn(1, 3, 64, 70)
    picture = compute_logits(model, images, Protocol(pad_to_multiple=32, flip=True))
    with torch.no_grad():
        expected = model(functional.pad(images.flip(-1), (0, 26, 0, 0)))[0]
    assert torch.equal(picture.views[1].tiles[0].logits, expected)


def test_stored_pixels_are_resized_and_rounded_before_normalisation(
    smallest_model: SegNeXt,
) -> None:
    model = smallest_model.eval()
    image = np.random.default_rng(0).integers(0, 256, (45, 70, 3), dtype=np.uint8)
    protocol = Protocol(short_side=64, resample="pixels", resize_to_multiple=32)
    found = compute_picture_logits(model, image, IMAGENET_NORMALIZATION, protocol)
    # One resize after the other, as two transforms of a pipeline do.
    pixels = cv2.resize(cv2.resize(image, (100, 64)), (128, 64))
    inputs = prepare_image(pixels, IMAGENET_NORMALIZATION, torch.device("cpu"))
    with torch.no_grad():
        assert torch.equal(found.views[0].tiles[0].logits, model(inputs)[0])
    assert (found.height, found.width) == (45, 70)


@pytest.mark.parametrize("channels", [1, 6])
def test_any_number_of_channels_and_nodata_can_be_resized(channels: int) -> None:
    image = np.full((40, 60, channels), 30000, dtype=np.uint16)
    image[:, 30:] = 0
    normalization = Normalization((0.5,) * channels, (0.1,) * channels, nodata=0)
    inputs = _resample(image, normalization, [(20, 30)], torch.device("cpu"))
    inputs = inputs.read(0, 20)
    assert inputs.shape == (1, channels, 20, 30)
    assert (inputs[..., 15:] == 0).all()
    expected = (30000 / 65535 - 0.5) / 0.1
    torch.testing.assert_close(inputs[..., :15], torch.full((1, channels, 20, 15), expected))


def test_both_ways_to_resize_agree_on_pictures_that_keep_their_size(
    smallest_model: SegNeXt,
) -> None:
    model = smallest_model.eval()
    image = np.random.default_rng(0).integers(0, 256, (45, 70, 3), dtype=np.uint8)
    pixels, inputs = (
        compute_picture_logits(model, image, IMAGENET_NORMALIZATION, Protocol(resample=resample))
        for resample in ("pixels", "inputs")
    )
    assert torch.equal(pixels.views[0].tiles[0].logits, inputs.views[0].tiles[0].logits)
