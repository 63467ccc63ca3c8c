"""The three decoders of SETR: naive, progressive upsampling, multi-level aggregation.

Paper: arXiv 2012.15840, section 3.3. Notable:

- The last upsampling of each is left to whoever reads the logits: a 1x1 convolution commutes with
  bilinear resizing, and the maps of full resolution are never made.
- Auxiliaries read the encoder's maps. The paper gives them two layers each: the naive form for
  naive and aggregation, a 3x3 in place of the first 1x1 (`FCN` with one convolution) for
  progressive upsampling.

Shapes: B batch, C channels, K classes, D width, h and w height and width of the encoder's maps.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from segnext.errors import UsageError
from segnext.models.decoders.decoder import ConvNorm, Decoder


class SETRNaive(Decoder):
    """1x1, normalisation, ReLU, 1x1; logits of the resolution of the map read.

    Args:
        in_channels: C of the encoder's maps.
        num_classes: K.
        width: D.
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
        width: int = 256,
        stage: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(num_classes, width, stage=stage, dropout=dropout)
        self.project = ConvNorm(in_channels[stage - 1], width)
        self.init_weights()

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Compute logits (B, K, h, w) from the encoder's maps."""
        return self.classify(self.project(features[self.stage - 1]))


class SETRPUP(Decoder):
    """Four 3x3 convolutions, doubling in between; logits eight times finer than the last map.

    The paper's fourth doubling, to full resolution, is the harness's.

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
        dropout: float = 0.0,
    ) -> None:
        super().__init__(num_classes, width, stage=4, scale=8, dropout=dropout)
        self.convs = nn.ModuleList(
            ConvNorm(channels, width, 3) for channels in (in_channels[-1], width, width, width)
        )
        self.init_weights()

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Compute logits (B, K, 8h, 8w) from the encoder's last map."""
        first, *others = self.convs
        upsampled = first(features[-1])
        for conv in others:
            upsampled = conv(_upsample(upsampled, 2))
        return self.classify(upsampled)


class SETRMLA(Decoder):
    """Four maps through three layers each, added from deep to shallow; logits at four times h, w.

    Args:
        in_channels: C of the encoder's maps.
        num_classes: K.
        width: Channels behind the first layer of each stream.
        stream_width: Channels behind the last; D is four times this.
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
        stream_width: int = 128,
        dropout: float = 0.0,
    ) -> None:
        streams = len(in_channels)
        super().__init__(num_classes, streams * stream_width, stage=4, scale=4, dropout=dropout)
        self.reduce = nn.ModuleList(ConvNorm(channels, width) for channels in in_channels)
        self.smooth = nn.ModuleList(ConvNorm(width, width, 3) for _ in in_channels)
        self.streams = nn.ModuleList(
            nn.Sequential(ConvNorm(width, stream_width, 3), ConvNorm(stream_width, stream_width, 3))
            for _ in in_channels
        )
        self.init_weights()

    def output_stride(self, strides: Sequence[int]) -> int:
        """Return the pixels of the image per logit.

        Raises:
            UsageError: The strides differ.
        """
        if len(set(strides)) > 1:
            msg = f"setr_mla reads maps of one stride, the encoder has {tuple(strides)}"
            raise UsageError(msg)
        return super().output_stride(strides)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Compute logits (B, K, 4h, 4w) from the encoder's maps, shallow to deep."""
        added: list[Tensor] = []
        for reduce, feature in zip(self.reduce[::-1], features[::-1], strict=True):
            reduced = reduce(feature)
            added.append(reduced + added[-1] if added else reduced)
        streams = [
            _upsample(stream(smooth(merged)), 4)
            for stream, smooth, merged in zip(self.streams, self.smooth, added[::-1], strict=True)
        ]
        return self.classify(torch.cat(streams, dim=1))


def _upsample(features: Tensor, scale: int) -> Tensor:
    return functional.interpolate(
        features, scale_factor=scale, mode="bilinear", align_corners=False
    )
