"""One picture through the network: resize rule, windows, scales, mirror.

Nothing here is at the picture's full resolution but the picture itself: the result keeps the
network's stride-8 logits together with where they lie, and `segnext.inference.masks` turns them
into masks in bands.

Shapes: C channels, H and W height and width of the picture, K classes, h and w those of logits.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from segnext.data.images import Image
from segnext.data.transforms import nodata_pixels, normalize
from segnext.inference.sizes import Size, resized_sizes, round_up
from segnext.models import MIN_SIZE, SegNeXt
from segnext.protocol import Overlap, Protocol, Steps
from segnext.spec import Normalization

WINDOWS_PER_BATCH = 4


@dataclass(frozen=True)
class Tile:
    """Logits of one window.

    Attributes:
        logits: (K, h, w) float32.
        top: First row of the window in the resized picture, in pixels.
        left: First column of the window in the resized picture, in pixels.
        height: Rows of the window, padding included, in pixels.
        width: Columns of the window, padding included, in pixels.
    """

    logits: Tensor
    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class View:
    """The picture seen once: at one scale, mirrored or not.

    Attributes:
        tiles: Windows that cover the resized picture.
        height: Rows of the resized picture, without padding.
        width: Columns of the resized picture, without padding.
        mirrored: The picture was flipped left to right before the network.
    """

    tiles: tuple[Tile, ...]
    height: int
    width: int
    mirrored: bool = False


@dataclass(frozen=True)
class PictureLogits:
    """Everything the network said about one picture.

    Attributes:
        views: One per scale, mirror image and model; probabilities are averaged over several.
        height: Rows of the picture as given.
        width: Columns of the picture as given.
        overlap: What is averaged where tiles of a view overlap.
        steps: Interpolations from logits to the pixels of the picture.
    """

    views: tuple[View, ...]
    height: int
    width: int
    overlap: Overlap = "logits"
    steps: Steps = 1


def prepare_image(
    image: Image,
    normalization: Normalization,
    device: torch.device,
    missing: npt.NDArray[np.bool_] | None = None,
) -> Tensor:
    """Normalise a picture (H, W, C) and move it to the network's device as (1, C, H, W).

    Args:
        image: 8 or 16 bit.
        normalization: Of as many channels.
        device: Where the network lies.
        missing: As in `segnext.data.transforms.normalize`, for images that were resampled.
    """
    pixels = torch.from_numpy(normalize(image, normalization, missing)).to(device)
    # A permuted view of (H, W, C) is what channels_last means: no copy is made.
    return pixels.permute(2, 0, 1)[None]


@torch.inference_mode()
def compute_picture_logits(
    models: SegNeXt | Sequence[SegNeXt],
    image: Image,
    normalization: Normalization,
    protocol: Protocol,
) -> PictureLogits:
    """Run the network, or each network of an ensemble, on one picture by any protocol.

    Args:
        models: In evaluation mode, on the device to use.
        image: (H, W, C) 8 or 16 bit, any H and W from 1 up.
        normalization: Of as many channels.
        protocol: Sizes, windows, scales, mirror and the rest.
    """
    first = models if isinstance(models, SegNeXt) else models[0]
    device = next(first.parameters()).device
    if protocol.resample == "inputs":
        return compute_logits(models, prepare_image(image, normalization, device), protocol)
    size = image.shape[0], image.shape[1]
    scaled = (resized_sizes(size, protocol, scale) for scale in protocol.scales)
    inputs = (_resample(image, normalization, sizes, device) for sizes in scaled)
    return _look(models, inputs, protocol, size)


@torch.inference_mode()
def compute_logits(
    models: SegNeXt | Sequence[SegNeXt], images: Tensor, protocol: Protocol
) -> PictureLogits:
    """Run the network, or each network of an ensemble, on one normalised picture by a protocol.

    Args:
        models: In evaluation mode.
        images: (1, C, H, W), normalised; any H and W from 1 up (small ones are padded with 0).
        protocol: Sizes, windows, scales and mirror; one that resizes stored pixels is for
            `compute_picture_logits`.
    """
    assert protocol.resample == "inputs"
    size = images.shape[-2], images.shape[-1]
    scaled = (resized_sizes(size, protocol, scale)[-1] for scale in protocol.scales)
    return _look(models, (_resize(images, one) for one in scaled), protocol, size)


def _look(
    models: SegNeXt | Sequence[SegNeXt], inputs: Iterable[Tensor], protocol: Protocol, size: Size
) -> PictureLogits:
    models = (models,) if isinstance(models, SegNeXt) else models
    assert not any(model.training for model in models)
    views = []
    for resized in inputs:
        for mirrored in (False, True) if protocol.flip else (False,):
            seen = resized.flip(-1) if mirrored else resized
            for model in models:
                tiles = tuple(_run_windows(model, seen, protocol))
                views.append(View(tiles, seen.shape[-2], seen.shape[-1], mirrored))
    return PictureLogits(tuple(views), *size, protocol.overlap, protocol.steps)


def _resize(images: Tensor, size: Size) -> Tensor:
    if size == images.shape[-2:]:
        return images
    return functional.interpolate(images, size=size, mode="bilinear", align_corners=False)


def _resample(
    image: Image, normalization: Normalization, sizes: Sequence[Size], device: torch.device
) -> Tensor:
    """Resize stored pixels once for each size, then normalise what has become of them."""
    missing = None
    if normalization.nodata is not None:
        # Blended pixels no longer hold the value that tells that nothing was observed.
        observed = nodata_pixels(image, normalization.nodata).view(np.uint8)
        height, width = sizes[-1]
        nearest: Any = cv2.resize(observed, (width, height), interpolation=cv2.INTER_NEAREST)
        missing = nearest.view(np.bool_)
    for height, width in sizes:
        if (height, width) != image.shape[:2]:
            resized: Any = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
            # OpenCV drops the axis of a single channel.
            image = resized.reshape(height, width, -1)
    return prepare_image(image, normalization, device, missing)


def _run_windows(model: SegNeXt, images: Tensor, protocol: Protocol) -> Iterator[Tile]:
    height, width = images.shape[-2:]
    full_height, full_width = max(MIN_SIZE, height), max(MIN_SIZE, width)
    if protocol.pad_to_multiple is not None:
        full_height, full_width = round_up((full_height, full_width), protocol.pad_to_multiple)
    padded = functional.pad(images, (0, full_width - width, 0, full_height - height))
    rows = min(full_height, protocol.window or full_height)
    columns = min(full_width, protocol.window or full_width)
    stride = protocol.effective_stride
    corners = [
        (top, left)
        for top in window_starts(full_height, rows, stride)
        for left in window_starts(full_width, columns, stride)
    ]
    for first in range(0, len(corners), WINDOWS_PER_BATCH):
        batch = corners[first : first + WINDOWS_PER_BATCH]
        windows = [padded[..., top : top + rows, left : left + columns] for top, left in batch]
        logits = model(torch.cat(windows)).float()
        for (top, left), one in zip(batch, logits, strict=True):
            yield Tile(one, top, left, rows, columns)


def window_starts(length: int, window: int, stride: int) -> list[int]:
    """Return first pixels of windows along one axis; the last window ends at the edge.

    Args:
        length: Pixels along the axis, at least `window`.
        window: Pixels of a window.
        stride: Pixels between windows.
    """
    if length <= window:
        return [0]
    return [*range(0, length - window, stride), length - window]
