"""The FCN head: convolutions on one map, the decoder of FCN and the auxiliary of others.

Papers: "Fully Convolutional Networks for Semantic Segmentation", arXiv 1411.4038, in the form that
later work compares with: no skip connections, on an encoder of stride 8, two 3x3 convolutions and
a third over their output and their input; auxiliary on stage 3 from PSPNet, arXiv 1612.01105.

Shapes: B batch, C channels, K classes, D width, h and w height and width of the map read.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from segnext.errors import UsageError
from segnext.models.decoders.decoder import MOST_CONVS, ConvNorm, Decoder


class FCN(Decoder):
    """One map of the encoder to logits of its resolution.

    Args:
        in_channels: C of the encoder's maps.
        num_classes: K.
        width: D.
        convs: 3x3 convolutions on the map.
        concat_input: Let another 3x3 convolution read their output beside the map itself.
        stage: Number from 1 of the map read.
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
        convs: int = 2,
        concat_input: bool = True,
        stage: int = 4,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(num_classes, width, stage=stage, dropout=dropout)
        if not 1 <= convs <= MOST_CONVS:
            msg = f"convs must lie between 1 and {MOST_CONVS}, got {convs}"
            raise UsageError(msg)
        channels = in_channels[stage - 1]
        self.convs = nn.Sequential(
            *(ConvNorm(width if index else channels, width, 3) for index in range(convs))
        )
        self.fuse = ConvNorm(channels + width, width, 3) if concat_input else None
        self.init_weights()

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Compute logits (B, K, h, w) from the encoder's maps."""
        read = features[self.stage - 1]
        convolved = self.convs(read)
        if self.fuse is not None:
            convolved = self.fuse(torch.cat((read, convolved), dim=1))
        return self.classify(convolved)
