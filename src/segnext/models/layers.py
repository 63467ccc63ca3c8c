"""Small layers shared by the encoder and the decoder.

Shapes: B batch, C channels, H and W height and width.
"""

import math
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional

from segnext.models.randomness import draw_uniform


class ChannelLayerNorm(nn.LayerNorm):
    """LayerNorm over the channels of (B, C, H, W), each position on its own."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (B, C, H, W); the shape stays."""
        # A view for channels_last tensors, so only contiguous ones pay for a copy.
        normalized = functional.layer_norm(
            input.permute(0, 2, 3, 1), self.normalized_shape, self.weight, self.bias, self.eps
        )
        return normalized.permute(0, 3, 1, 2)


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Compute in the precision of the tensors, which autocast would lower.

    Args:
        device: Of the tensors; the meta device, which autocast does not know, passes.
    """
    if device.type == "meta":
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def draw_drop_path(images: Tensor, rate: float) -> Tensor:
    """Draw which samples keep a residual branch (Huang et al., arXiv 1603.09382).

    Args:
        images: Any tensor whose first dimension is the batch; gives device and dtype.
        rate: Probability in [0, 1) of dropping the branch.

    Returns:
        (B, 1, 1, 1): 0 where the branch is dropped, 1 / (1 - rate) where it is kept, so that the
        expectation does not change.
    """
    return _draw_kept(images, 1, rate)


class ChannelDropout(nn.Module):
    """Dropout of whole channels in training (Tompson et al., arXiv 1411.4280, section 3.2).

    `nn.Dropout2d`, drawing for each sample on its own.

    Args:
        rate: Probability in [0, 1) of dropping a channel.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, images: Tensor) -> Tensor:
        """Drop channels of (B, C, H, W) and scale the rest by 1 / (1 - rate)."""
        if not self.training or self.rate == 0.0:
            return images
        return images * _draw_kept(images, images.shape[1], self.rate)


def _draw_kept(images: Tensor, channels: int, rate: float) -> Tensor:
    keep = 1.0 - rate
    drawn = draw_uniform(images.shape[0], (channels, 1, 1), images.device) < keep
    return drawn.to(images.dtype) / keep


def conv1x1(in_channels: int, out_channels: int, *, bias: bool = True) -> nn.Conv2d:
    """Build a 1x1 convolution."""
    return nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=bias)


def depthwise(channels: int, height: int, width: int) -> nn.Conv2d:
    """Build a depthwise convolution of odd kernel size (height, width) that keeps H and W."""
    return nn.Conv2d(
        channels, channels, (height, width), padding=(height // 2, width // 2), groups=channels
    )


def init_conv_weights(module: nn.Module) -> None:
    """Start every convolution from N(0, sqrt(2 / fan_out)), biases from 0.

    fan_out = kernel area * output channels / groups; for use with `nn.Module.apply`.
    """
    if isinstance(module, nn.Conv2d):
        fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
        nn.init.normal_(module.weight, std=math.sqrt(2.0 * module.groups / fan_out))
        if module.bias is not None:
            nn.init.zeros_(module.bias)
