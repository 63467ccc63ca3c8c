"""Upsampling and a loss per pixel in bands of rows, without logits at full resolution.

At 150 classes the logits of a batch at the target's resolution, their softmax and its gradient
are most of a training step's memory. A band of rows at a time needs none of them: the forward
pass already computes the gradient at the low resolution, and the backward pass only scales it.

Bilinear interpolation is linear along each axis, so a band is a product of three matrices. Its
rows are those of the whole picture's matrix, so bands meet without a seam; a band resized by
itself would be clamped at its own edges.

Shapes: B batch, K classes, h and w those of the logits, H and W those of the target, n rows of a
band, s rows of the logits under it.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

# Logits (n, K, W) of one picture to values (n, W), against target (n, W).
PixelValues = Callable[[Tensor, Tensor], Tensor]

# Floats of a band: 4 MB on CPUs, about their caches; 64 MB elsewhere, where small kernels wait.
CPU_BAND = 2**20
DEVICE_BAND = 2**24


def sum_in_bands(logits: Tensor, target: Tensor, values: PixelValues) -> Tensor:
    """Compute the sum of a loss over all pixels at the target's resolution, a scalar.

    Args:
        logits: (B, K, h, w) of floating point; resized bilinearly, `align_corners=False`.
        target: (B, H, W).
        values: The loss of each pixel, differentiable in the logits; called band by band.
    """
    if torch.is_grad_enabled() and logits.requires_grad:
        return _BandedSum.apply(logits, target, values)  # type: ignore[no-any-return,no-untyped-call]
    return map_in_bands(logits, target, values).sum()


@torch.no_grad()
def map_in_bands(logits: Tensor, target: Tensor, values: PixelValues) -> Tensor:
    """Compute the loss of each pixel, (B, H, W), without a gradient; see `sum_in_bands`."""
    result = logits.new_empty(target.shape)
    bands = _Bands(logits, target)
    for picture, truth, out in zip(logits, target, result, strict=True):
        low = picture.transpose(0, 1).contiguous()
        for source, rows in bands:
            out[rows] = values(bands.resize(low[source], source, rows), truth[rows])
    return result


class _BandedSum(torch.autograd.Function):
    """The sum of a loss over pixels; its gradient is ready when the forward pass ends."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, target: Tensor, values: PixelValues) -> Tensor:
        gradient = torch.empty_like(logits)
        total = logits.new_zeros(())
        bands = _Bands(logits, target)
        for picture, truth, towards in zip(logits, target, gradient, strict=True):
            low = picture.transpose(0, 1).contiguous()
            collected = torch.zeros_like(low)
            for source, rows in bands:
                with torch.enable_grad():
                    part = low[source].requires_grad_()
                    loss = values(bands.resize(part, source, rows), truth[rows]).sum()
                collected[source] += torch.autograd.grad(loss, part)[0]
                total += loss.detach()
            towards.copy_(collected.transpose(0, 1))
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * gradients[0], None, None


class _Bands:
    """Bands of a batch's rows: pairs of the logits' rows and the target's rows.

    Args:
        logits: (B, K, h, w); gives shape, type and device.
        target: (B, H, W); gives the shape.
    """

    def __init__(self, logits: Tensor, target: Tensor) -> None:
        _, classes, low_height, low_width = logits.shape
        _, self.height, width = target.shape
        limit = CPU_BAND if logits.device.type == "cpu" else DEVICE_BAND
        self.band_height = max(1, limit // (classes * width))
        rows = _interpolation_matrix(low_height, self.height)
        # Which rows of the logits each row of the target is made of; known without the device.
        self._first = rows.gt(0).int().argmax(1).tolist()
        self._last = (low_height - 1 - rows.flip(1).gt(0).int().argmax(1)).tolist()
        self._rows = rows.to(logits)
        self._columns = _interpolation_matrix(low_width, width).T.to(logits)

    def __iter__(self) -> Iterator[tuple[slice, slice]]:
        for top in range(0, self.height, self.band_height):
            bottom = min(top + self.band_height, self.height)
            yield slice(self._first[top], self._last[bottom - 1] + 1), slice(top, bottom)

    def resize(self, part: Tensor, source: slice, rows: slice) -> Tensor:
        """Interpolate rows (s, K, w) of the logits to rows (n, K, W) of the target."""
        stretched = part @ self._columns
        resized: Tensor = self._rows[rows, source] @ stretched.flatten(1)
        return resized.view(-1, *stretched.shape[1:])


def _interpolation_matrix(size: int, wanted: int) -> Tensor:
    """Return the (wanted, size) float64 matrix of linear interpolation between pixel centres."""
    centres = (torch.arange(wanted, dtype=torch.float64) + 0.5) * (size / wanted) - 0.5
    distance = centres.clamp(0, size - 1)[:, None] - torch.arange(size, dtype=torch.float64)
    return (1 - distance.abs()).clamp(min=0)
