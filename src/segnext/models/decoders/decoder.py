"""What every decoder is: the maps of an encoder to logits; and the layers they share.

Shapes: B batch, C channels, K classes, h and w height and width of a map.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from segnext.errors import UsageError
from segnext.models.layers import ChannelDropout, conv1x1, init_conv_weights

STAGES = 4
# Of a kind in a row. A hostile configuration would be built for hours.
MOST_CONVS = 100
CLASSIFIER_STD = 0.01


class Decoder(nn.Module):
    """Feature maps to logits. A subclass builds its layers, then calls `init_weights`.

    Args:
        num_classes: K, at least 1.
        width: D, channels that the classifier reads.
        stage: Number from 1 of the encoder's map that has the resolution of the logits.
        scale: How much finer than that map the logits are.
        dropout: Probability of dropping a channel before the classifier.

    Attributes:
        classifier: The convolution (K, D, 1, 1) that makes the logits.

    Raises:
        UsageError: An option is out of range.
    """

    def __init__(
        self, num_classes: int, width: int, *, stage: int, scale: int = 1, dropout: float = 0.1
    ) -> None:
        super().__init__()
        if num_classes < 1:
            msg = f"num_classes must be at least 1, got {num_classes}"
            raise UsageError(msg)
        if width < 1:
            msg = f"the width of a decoder must be at least 1, got {width}"
            raise UsageError(msg)
        if not 1 <= stage <= STAGES:
            msg = f"the stage that a decoder reads is a number from 1 to {STAGES}, got {stage}"
            raise UsageError(msg)
        if not 0.0 <= dropout < 1.0:
            msg = f"dropout must lie in [0, 1), got {dropout}"
            raise UsageError(msg)
        self.stage = stage
        self.scale = scale
        self.dropout = ChannelDropout(dropout)
        self.classifier = conv1x1(width, num_classes)

    def output_stride(self, strides: Sequence[int]) -> int:
        """Return the pixels of the image per logit, of an encoder with these strides.

        Raises:
            UsageError: The decoder cannot read maps of these strides.
        """
        return max(1, strides[self.stage - 1] // self.scale)

    def classify(self, features: Tensor) -> Tensor:
        """Compute logits (B, K, h, w) of (B, D, h, w)."""
        return self.classifier(self.dropout(features))  # type: ignore[no-any-return]

    def init_weights(self) -> None:
        """Start every layer for training."""
        self.apply(init_conv_weights)
        nn.init.normal_(self.classifier.weight, std=CLASSIFIER_STD)


class ConvNorm(nn.Sequential):
    """Convolution without bias, batch normalisation, ReLU; H and W stay.

    Args:
        in_channels: C that comes in.
        out_channels: C that goes out.
        kernel: Odd size of the kernel.
        dilation: Distance of the kernel's values.
        groups: Of the convolution.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 1,
        *,
        dilation: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__(
            nn.Conv2d(
                in_channels,
                out_channels,
                kernel,
                padding=dilation * (kernel // 2),
                dilation=dilation,
                groups=groups,
                bias=False,
            ),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
        )

    def forward(self, input: Tensor) -> Tensor:
        """Transform (B, C, h, w); h and w stay.

        Raises:
            ValueError: A training batch leaves batch statistics a single value.
        """
        check_statistics(self[1], input)
        return super().forward(input)  # type: ignore[no-any-return, no-untyped-call]


def check_statistics(norm: nn.Module, features: Tensor) -> None:
    """Refuse maps (B, C, h, w) of which batch statistics cannot be taken.

    Raises:
        ValueError: The norm is in training, and each channel has one value.
    """
    if norm.training and features.numel() == features.shape[1]:
        msg = (
            "a training batch of one image leaves the decoder a single position, and batch "
            "statistics need two: use a larger batch or crop"
        )
        raise ValueError(msg)


def separable(in_channels: int, out_channels: int, *, dilation: int = 1) -> nn.Sequential:
    """Build a depthwise 3x3 and a 1x1, each with normalisation and ReLU; H and W stay."""
    return nn.Sequential(
        ConvNorm(in_channels, in_channels, 3, dilation=dilation, groups=in_channels),
        ConvNorm(in_channels, out_channels),
    )


def resize_to(features: Tensor, target: Tensor) -> Tensor:
    """Resize (B, C, ., .) bilinearly to the height and width of another map."""
    return resize(features, target.shape[-2:])


def resize(features: Tensor, size: Sequence[int]) -> Tensor:
    """Resize (B, C, ., .) bilinearly to (B, C, *size)."""
    return functional.interpolate(features, size=tuple(size), mode="bilinear", align_corners=False)
