"""One picture through the network: resize rule, windows, scales, mirror.

Nothing here is at the picture's full resolution but the picture itself: the result keeps the
network's stride-8 logits together with where they lie, and `segnext.inference.masks` turns them
into masks in bands.

Shapes: C channels, H and W height and width of the picture, K classes, h and w those of logits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from segnext.data.images import Image
from segnext.data.transforms import normalize
from segnext.models import MIN_SIZE, SegNeXt
from segnext.spec import Normalization, Protocol

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
        tiles: Windows that cover the resized picture; overlapping logits are averaged.
        height: Rows of the resized picture.
        width: Columns of the resized picture.
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
    """

    views: tuple[View, ...]
    height: int
    width: int


def prepare_image(image: Image, normalization: Normalization, device: torch.device) -> Tensor:
    """Normalise a picture (H, W, C) and move it to the network's device as (1, C, H, W)."""
    pixels = torch.from_numpy(normalize(image, normalization)).to(device)
    # A permuted view of (H, W, C) is what channels_last means: no copy is made.
    return pixels.permute(2, 0, 1)[None]


@torch.inference_mode()
def compute_logits(
    models: SegNeXt | Sequence[SegNeXt], images: Tensor, protocol: Protocol
) -> PictureLogits:
    """Run the network, or each network of an ensemble, on one picture by a protocol.

    Args:
        models: In evaluation mode.
        images: (1, C, H, W), normalised; any H and W from 1 up (small ones are padded with 0).
        protocol: Sizes, windows, scales and mirror.
    """
    models = (models,) if isinstance(models, SegNeXt) else models
    assert not any(model.training for model in models)
    height, width = images.shape[-2:]
    views = []
    for scale in protocol.scales:
        resized = _resize(images, protocol.short_side, scale)
        for mirrored in (False, True) if protocol.flip else (False,):
            seen = resized.flip(-1) if mirrored else resized
            for model in models:
                tiles = tuple(_run_windows(model, seen, protocol))
                views.append(View(tiles, seen.shape[-2], seen.shape[-1], mirrored))
    return PictureLogits(tuple(views), height, width)


def _resize(images: Tensor, short_side: int | None, scale: float) -> Tensor:
    height, width = images.shape[-2:]
    factor = scale * (1.0 if short_side is None else short_side / min(height, width))
    size = max(1, round(height * factor)), max(1, round(width * factor))
    if size == (height, width):
        return images
    return functional.interpolate(images, size=size, mode="bilinear", align_corners=False)


def _run_windows(model: SegNeXt, images: Tensor, protocol: Protocol) -> Iterator[Tile]:
    height, width = images.shape[-2:]
    padded = functional.pad(images, (0, max(0, MIN_SIZE - width), 0, max(0, MIN_SIZE - height)))
    full_height, full_width = padded.shape[-2:]
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
