"""Wide depthwise strips whose backward pass is fast on CPUs.

The weight gradient of a depthwise (1, k) convolution is the slowest part of a training step on
CPUs: oneDNN takes tens of times longer for it than for the same strip standing upright, (k, 1).
Here the gradients are put together from operations that are fast, and are the same numbers up to
rounding: the input's gradient is a convolution with the mirrored kernel, the weight's gradient is
that of an upright strip on transposed images.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class WideStrip(nn.Conv2d):
    """Depthwise convolution (1, k) with "same" zero padding.

    Args:
        channels: C, in and out.
        length: k, odd.
    """

    def __init__(self, channels: int, length: int) -> None:
        super().__init__(channels, channels, (1, length), padding=(0, length // 2), groups=channels)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve (B, C, h, w); the shape stays."""
        learning = torch.is_grad_enabled() and self.weight.requires_grad
        if learning and input.device.type == "cpu" and not torch.is_autocast_enabled("cpu"):
            return _WideStripFunction.apply(input, self.weight, self.bias)  # type: ignore[no-any-return,no-untyped-call]
        return super().forward(input)


class _WideStripFunction(torch.autograd.Function):
    """Images (B, C, h, w), weight (C, 1, 1, k), bias (C,) to images (B, C, h, w)."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(images, weight)
        return _convolve(images, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        (gradient,) = gradients
        images, weight = ctx.saved_tensors
        towards_images = None
        if ctx.needs_input_grad[0]:
            towards_images = _convolve(gradient, weight.flip(-1), None)
        upright = torch.ops.aten.convolution_backward(
            _transpose(gradient),
            _transpose(images),
            weight.mT,
            None,
            [1, 1],
            [weight.shape[-1] // 2, 0],
            [1, 1],
            False,
            [0, 0],
            weight.shape[0],
            [False, True, False],
        )[1]
        return towards_images, upright.mT, gradient.sum((0, 2, 3))


def _convolve(images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    padding = (0, weight.shape[-1] // 2)
    return functional.conv2d(images, weight, bias, padding=padding, groups=weight.shape[0])


def _transpose(images: Tensor) -> Tensor:
    return images.mT.contiguous(memory_format=torch.channels_last)
