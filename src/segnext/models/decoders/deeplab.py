"""The decoders of DeepLabV3 and DeepLabV3+.

Papers: arXiv 1706.05587 and arXiv 1802.02611, section 3.2. Notable:

- Widths are those that later work compares with: 512 instead of the papers' 256, and a 3x3 instead
  of a 1x1 behind the pyramid.

Shapes: B batch, C channels, K classes, D width, h and w height and width of a map.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from segnext.models.decoders.aspp import ASPP, RATES_AT_8
from segnext.models.decoders.decoder import ConvNorm, Decoder, resize_to, separable


class DeepLabV3(Decoder):
    """ASPP on the last map; logits of its resolution.

    Args:
        in_channels: C of the encoder's maps.
        num_classes: K.
        width: D.
        rates: Of the pyramid: (1, 12, 24, 36) for a last map at stride 8, (1, 6, 12, 18) at 16.
        dropout: Probability of dropping a channel before the classifier.

    Raises:
        UsageError: An option is out of range.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        num_classes: int,
        *,
        width: int = 512,
        rates: Sequence[int] = RATES_AT_8,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(num_classes, width, stage=4, dropout=dropout)
        self.aspp = ASPP(in_channels[-1], width, rates=rates)
        self.init_weights()

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Compute logits (B, K, h, w) from the encoder's maps; reads the last alone.

        Raises:
            ValueError: A training batch of one image.
        """
        return self.classify(self.aspp(features[-1]))


class DeepLabV3Plus(Decoder):
    """Separable ASPP on the last map, refined by the first; logits of the first's resolution.

    Args:
        in_channels: C of the encoder's maps.
        num_classes: K.
        width: D.
        low_level_width: Channels to which the first map is reduced.
        rates: Of the pyramid: (1, 12, 24, 36) for a last map at stride 8, (1, 6, 12, 18) at 16.
        dropout: Probability of dropping a channel before the classifier.

    Raises:
        UsageError: An option is out of range.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        num_classes: int,
        *,
        width: int = 512,
        low_level_width: int = 48,
        rates: Sequence[int] = RATES_AT_8,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(num_classes, width, stage=1, dropout=dropout)
        self.aspp = ASPP(in_channels[-1], width, rates=rates, use_separable=True)
        self.low_level = ConvNorm(in_channels[0], low_level_width)
        self.refine = nn.Sequential(
            separable(width + low_level_width, width), separable(width, width)
        )
        self.init_weights()

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Compute logits (B, K, h, w) from the encoder's first and last map.

        Raises:
            ValueError: A training batch of one image.
        """
        fine = self.low_level(features[0])
        coarse = resize_to(self.aspp(features[-1]), fine)
        return self.classify(self.refine(torch.cat((coarse, fine), dim=1)))
