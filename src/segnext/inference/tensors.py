"""Pictures that are tensors to what a network is fed, on the device where they lie.

The arithmetic is that of `segnext.data.transforms` and `segnext.inference.views`, step by step.

Shapes: C channels, H and W height and width of the picture, h and w of what it becomes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from segnext.inference.sizes import Size
from segnext.spec import Normalization


def prepare_tensor(
    image: Tensor, normalization: Normalization | None, sizes: Sequence[Size] = ()
) -> Tensor:
    """Resize and normalise a picture (H, W, C): (1, C, h, w) on its device.

    Args:
        image: uint8, or floating with values 0-1.
        normalization: Of as many channels; `None` gives stored pixels, uint8.
        sizes: To which the stored pixels are resized, one after the other. They are rounded after
            every resize, like OpenCV's, but not always to the same of two values.
    """
    pixels = image.permute(2, 0, 1)[None]
    missing = None
    if normalization is not None and normalization.nodata is not None:
        missing = _nodata_pixels(pixels, normalization.nodata)
        if sizes and sizes[-1] != missing.shape[-2:]:
            shown = functional.interpolate(missing.to(torch.uint8), size=sizes[-1], mode="nearest")
            missing = shown.bool()
    for size in sizes:
        pixels = _resize_pixels(pixels, size)
    if normalization is None:
        return pixels if pixels.dtype == torch.uint8 else (pixels * 255).round().to(torch.uint8)
    normalized = _normalize(pixels, normalization)
    return normalized if missing is None else normalized.masked_fill(missing, 0)


def resize_inputs(images: Tensor, size: Size) -> Tensor:
    """Interpolate images (B, C, H, W) to (B, C, h, w); those of that size stay what they are."""
    if size == images.shape[-2:]:
        return images
    return functional.interpolate(images, size=size, mode="bilinear", align_corners=False)


def _resize_pixels(pixels: Tensor, size: Size) -> Tensor:
    if size == pixels.shape[-2:]:
        return pixels
    resized = resize_inputs(pixels.float(), size)
    return resized.round().to(torch.uint8) if pixels.dtype == torch.uint8 else resized


def _nodata_pixels(pixels: Tensor, nodata: float) -> Tensor:
    """Find the pixels that hold `nodata` in every channel, (1, 1, H, W)."""
    top = 255
    if pixels.is_floating_point():
        # As arrays, they would have 16 bits.
        top = 65535
        pixels = (pixels.double() * top).round()
    if not 0 <= nodata <= top:
        return torch.zeros_like(pixels[:, :1], dtype=torch.bool)
    return (pixels == nodata).all(dim=1, keepdim=True)


def _normalize(pixels: Tensor, normalization: Normalization) -> Tensor:
    def per_channel(values: tuple[float, ...]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32).to(pixels.device)[:, None, None]

    scaled = pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels.float()
    if normalization.low is not None and normalization.high is not None:
        scaled = scaled.clamp(per_channel(normalization.low), per_channel(normalization.high))
    return (scaled - per_channel(normalization.mean)) / per_channel(normalization.std)
