"""LightHam, the decoder of SegNeXt: global context by matrix decomposition.

Paper: arXiv 2209.08575, section 3.2 and figure 3c. What the decoder looks around with is the
hamburger or, for the ablation of table 5, another module of `context`. Notable:

- The squeeze is applied to each stage at the stage's own resolution, before resizing: a 1x1
  convolution commutes with bilinear resizing, and this costs a quarter of the reference's order.

Shapes: B batch, C channels, h and w height and width of the finest stage read, N = h * w,
D decoder width, K classes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from segnext.errors import UsageError
from segnext.models.context import GROUPS, ContextOptions, build_context
from segnext.models.layers import ChannelDropout, conv1x1


class LightHam(nn.Module):
    """The decoder: feature maps of several stages to logits.

    Args:
        in_channels: C of all four encoder stages.
        num_classes: K.
        width: D, a multiple of 32.
        rank: R of the decomposition.
        train_steps: Of the decomposition.
        eval_steps: Of the decomposition.
        stages: Which encoder stages are read, from 1 to 4 in ascending order; the first of them
            gives the resolution of the logits.
        dropout: Probability of dropping a channel before the classifier.
        decomposition: One of `DECOMPOSITIONS`, for the hamburger.
        attention: One of `CONTEXTS`.

    Attributes:
        context_name: `attention`; also the name of the module, so that files tell them apart.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        num_classes: int,
        *,
        width: int = 256,
        rank: int = 16,
        train_steps: int = 6,
        eval_steps: int = 7,
        stages: Sequence[int] = (2, 3, 4),
        dropout: float = 0.1,
        decomposition: str = "nmf",
        attention: str = "hamburger",
    ) -> None:
        super().__init__()
        check_decoder_options(num_classes, width, stages, dropout)
        self.stages = tuple(stages)
        self.stage_channels = [in_channels[stage - 1] for stage in stages]
        self.squeeze = _conv_norm(sum(self.stage_channels), width)
        options = ContextOptions(width, rank, decomposition, train_steps, eval_steps)
        self.context_name = attention
        self.add_module(attention, build_context(attention, options))
        self.align = _conv_norm(width, width)
        self.dropout = ChannelDropout(dropout)
        self.classifier = conv1x1(width, num_classes)

    def output_stride(self, strides: Sequence[int]) -> int:
        """Return the pixels of the image per logit, of an encoder with these strides."""
        return strides[self.stages[0] - 1]

    @property
    def context(self) -> nn.Module:
        """The module that looks around, (B, D, h, w) to (B, D, h, w)."""
        return self.get_submodule(self.context_name)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Decode the encoder's maps.

        Args:
            features: The four maps of the encoder, (B, C, ., .), fine to coarse.

        Returns:
            Logits (B, K, h, w) at the resolution of the finest stage read.
        """
        _, squeeze_norm = self.squeeze
        squeezed = functional.relu(squeeze_norm(self._squeeze_stages(features)))
        aligned = functional.relu(self.align(self.context(squeezed)))
        return self.classifier(self.dropout(aligned))  # type: ignore[no-any-return]

    def _squeeze_stages(self, features: Sequence[Tensor]) -> Tensor:
        """Compute squeeze(concatenate(resized stages)) as the sum of resized squeezed stages."""
        read = [features[stage - 1] for stage in self.stages]
        size = read[0].shape[-2:]
        kernels = torch.split(self.squeeze.get_parameter("0.weight"), self.stage_channels, dim=1)
        squeezed = functional.conv2d(read[0], kernels[0])
        for feature, kernel in zip(read[1:], kernels[1:], strict=True):
            coarse = functional.conv2d(feature, kernel)
            squeezed = squeezed + functional.interpolate(
                coarse, size=size, mode="bilinear", align_corners=False
            )
        return squeezed


def _conv_norm(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        conv1x1(in_channels, out_channels, bias=False), nn.GroupNorm(GROUPS, out_channels)
    )


def check_decoder_options(
    num_classes: int, width: int, stages: Sequence[int], dropout: float
) -> None:
    """Refuse decoder options that cannot be built.

    Raises:
        UsageError: With the value and the range.
    """
    if num_classes < 1:
        msg = f"num_classes must be at least 1, got {num_classes}"
        raise UsageError(msg)
    if width < GROUPS or width % GROUPS:
        msg = f"decoder_width must be a multiple of {GROUPS}, got {width}"
        raise UsageError(msg)
    if not stages or sorted(set(stages)) != list(stages) or not set(stages) <= {1, 2, 3, 4}:
        msg = f"decoder_stages are ascending numbers from 1 to 4, got {tuple(stages)}"
        raise UsageError(msg)
    if not 0.0 <= dropout < 1.0:
        msg = f"dropout must lie in [0, 1), got {dropout}"
        raise UsageError(msg)
