"""Atrous spatial pyramid pooling: one map seen at several distances, and as a whole.

Papers: DeepLabV3, arXiv 1706.05587, section 3.3; with separable convolutions DeepLabV3+, arXiv
1802.02611, section 3.1.

Shapes: B batch, C channels, D width, h and w height and width of the map.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from segnext.errors import UsageError
from segnext.models.decoders.decoder import ConvNorm, resize_to, separable

# The first rate stands for a 1x1; the paper doubles the others at half the stride.
RATES_AT_8 = (1, 12, 24, 36)
RATES_AT_16 = (1, 6, 12, 18)

# Beyond it a dilated kernel sees nothing but its own padding, which takes memory all the same.
_MOST_RATE = 256


class ASPP(nn.Module):
    """Parallel dilated convolutions and the mean of the image, concatenated and fused.

    Args:
        in_channels: C.
        width: D of each branch and of the result.
        rates: Dilation of each branch; 1 is a 1x1 convolution.
        use_separable: Make the dilated convolutions depthwise separable.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        rates: Sequence[int] = RATES_AT_8,
        use_separable: bool = False,
    ) -> None:
        super().__init__()
        if not all(1 <= rate <= _MOST_RATE for rate in rates):
            msg = f"rates must lie between 1 and {_MOST_RATE}, got {tuple(rates)}"
            raise UsageError(msg)
        self.pooling = ConvNorm(in_channels, width)
        self.branches = nn.ModuleList(
            _build_branch(in_channels, width, rate, use_separable=use_separable) for rate in rates
        )
        self.fuse = ConvNorm((len(rates) + 1) * width, width, 3)

    def forward(self, features: Tensor) -> Tensor:
        """Transform (B, C, h, w) to (B, D, h, w).

        Raises:
            ValueError: A training batch of one image: its mean is a single position.
        """
        mean = self.pooling(features.mean(dim=(2, 3), keepdim=True))
        branches = [branch(features) for branch in self.branches]
        return self.fuse(torch.cat((resize_to(mean, features), *branches), dim=1))  # type: ignore[no-any-return]


def _build_branch(in_channels: int, width: int, rate: int, *, use_separable: bool) -> nn.Module:
    if rate == 1:
        return ConvNorm(in_channels, width)
    if use_separable:
        return separable(in_channels, width, dilation=rate)
    return ConvNorm(in_channels, width, 3, dilation=rate)
