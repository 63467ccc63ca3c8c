"""Parts that replace those of `transformers`, so that foreign encoders keep our promises.

- A sample's random numbers do not depend on its batch: `DropPath`.
- Odd sizes round up at each stride, and pretrained weights keep their alignment: `SameConv2d`.
- A network ends at another stride than it was built for: `dilate`.

Shapes: B batch, C channels, H and W height and width.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from segnext.models.layers import draw_drop_path, init_conv_weights

LINEAR_STD = 0.02
BATCH_NORM_MOMENTUM = 0.1


class DropPath(nn.Module):
    """Skip a residual branch for some samples in training (arXiv 1603.09382).

    Args:
        rate: Probability in [0, 1) of skipping it.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Tensor) -> Tensor:
        """Drop or scale each sample of (B, ...); the shape stays."""
        if not self.training or self.rate == 0.0:
            return branch
        keep = draw_drop_path(branch, self.rate)
        return branch * keep.view(-1, *[1] * (branch.ndim - 1))


class SameConv2d(nn.Conv2d):
    """A strided convolution padded as TensorFlow's "SAME" is.

    The padding depends on the size: even sizes get less at the top left than at the bottom right.
    Weights trained so see features half a pixel off under symmetric padding.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Convolve (B, C, H, W) to (B, C', ceil(H/s), ceil(W/s)) for the stride s = 2."""
        height, width = input.shape[-2:]
        over_height = self.kernel_size[0] - 2 + height % 2
        over_width = self.kernel_size[1] - 2 + width % 2
        top, left = over_height // 2, over_width // 2
        padded = functional.pad(input, (left, over_width - left, top, over_height - top))
        return functional.conv2d(
            padded, self.weight, self.bias, self.stride, 0, self.dilation, self.groups
        )


def with_same_padding(convolution: Any) -> SameConv2d:
    """Build the convolution of stride 2 anew, padded by size."""
    assert convolution.stride == (2, 2), "only halving convolutions are padded by size"
    return SameConv2d(
        convolution.in_channels,
        convolution.out_channels,
        convolution.kernel_size,
        stride=2,
        groups=convolution.groups,
        bias=convolution.bias is not None,
    )


def dilate(stage: nn.Module, dilation: int, *, first: int) -> None:
    """Take the stride out of a stage and spread its kernels instead (arXiv 1606.00915).

    Every output then equals one that the strided stage has at some offset of its input.

    Args:
        stage: Its convolutions are changed in place.
        dilation: Of the stage's kernels behind the one that had the stride.
        first: Of the kernel that had the stride; the dilation of the stage before.
    """
    for module in stage.modules():
        if not isinstance(module, nn.Conv2d):
            continue
        strided = module.stride != (1, 1)
        module.stride = (1, 1)
        if module.kernel_size != (1, 1):
            spread = first if strided else dilation
            module.dilation = (spread, spread)
            module.padding = tuple(spread * (size // 2) for size in module.kernel_size)


def init_encoder_weights(module: nn.Module) -> None:
    """Start a layer for training from scratch; for use with `nn.Module.apply`.

    Convolutions as all of ours, linear layers from a normal of deviation 0.02, norms as the
    identity. `transformers` starts some norms at random, and takes the momentum of TensorFlow's
    batch norms (the share of the old mean) for torch's (the share of the new).
    """
    init_conv_weights(module)
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=LINEAR_STD)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        module.momentum = BATCH_NORM_MOMENTUM
        module.reset_parameters()
    elif isinstance(module, nn.LayerNorm):
        module.reset_parameters()
