"""The all-MLP decoder of SegFormer.

Paper: arXiv 2105.15203, section 3.2. Width 256 for the encoders B0 and B1, 768 for the others.

Shapes: B batch, C channels of a stage, K classes, D width, h and w height and width of stage 1.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from segnext.models.decoders.decoder import ConvNorm, Decoder, resize_to
from segnext.models.layers import conv1x1


class MLP(Decoder):
    """All four maps, each through a linear layer, to logits of the first's resolution.

    Args:
        in_channels: C of the encoder's maps.
        num_classes: K.
        width: D.
        dropout: Probability of dropping a channel before the classifier.

    Raises:
        UsageError: An option is out of range.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        num_classes: int,
        *,
        width: int = 256,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(num_classes, width, stage=1, dropout=dropout)
        self.linears = nn.ModuleList(conv1x1(channels, width) for channels in in_channels)
        self.fuse = ConvNorm(len(in_channels) * width, width)
        self.init_weights()

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Compute logits (B, K, h, w) from the encoder's maps."""
        resized = [
            resize_to(linear(feature), features[0])
            for linear, feature in zip(self.linears, features, strict=True)
        ]
        # The paper's figure has the coarsest stage first; weights of others rely on it.
        return self.classify(self.fuse(torch.cat(resized[::-1], dim=1)))
