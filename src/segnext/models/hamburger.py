"""LightHam, the decoder of SegNeXt: global context by matrix decomposition.

Papers: arXiv 2209.08575, section 3.2 and figure 3c; the decomposition and its equations from "Is
Attention Better Than Matrix Decomposition?", arXiv 2109.04553, section 3. Notable:

- Features are factorised as X ~ Bs Cs by multiplicative updates, and the gradient flows through
  every one of them.
- Training draws the first bases anew at each step; evaluation starts from a stored buffer, the
  same for every image, so predictions repeat to the bit and do not depend on the batch.
- The arithmetic of the decomposition stays in float32, under autocast and in half models.
- The squeeze is applied to each stage at the stage's own resolution, before resizing: a 1x1
  convolution commutes with bilinear resizing, and this costs a quarter of the reference's order.

Shapes: B batch, C channels, h and w height and width of the finest stage read, N = h * w,
D decoder width, R rank, K classes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from segnext.errors import UsageError
from segnext.models.layers import ChannelDropout, conv1x1
from segnext.models.randomness import draw_uniform

EPSILON = 1e-6
BASES_SEED = 20220918
GROUPS = 32


class NMF(nn.Module):
    """Non-negative matrix factorisation by multiplicative updates (Lee and Seung).

    Args:
        width: D, rows of the factorised matrix.
        rank: R, columns of the bases.
        train_steps: Updates of both factors in training.
        eval_steps: Updates of both factors in evaluation.
    """

    initial_bases: Tensor

    def __init__(self, width: int, rank: int, *, train_steps: int = 6, eval_steps: int = 7) -> None:
        super().__init__()
        if rank < 1 or train_steps < 0 or eval_steps < 0:
            msg = (
                f"the decomposition needs rank >= 1 and steps >= 0, got rank {rank}, "
                f"{train_steps} training steps, {eval_steps} evaluation steps"
            )
            raise UsageError(msg)
        self.train_steps = train_steps
        self.eval_steps = eval_steps
        generator = torch.Generator().manual_seed(BASES_SEED)
        bases = torch.rand(1, width, rank, generator=generator, device="cpu")
        self.register_buffer("initial_bases", functional.normalize(bases, dim=1))

    def forward(self, features: Tensor) -> Tensor:
        """Return the low-rank reconstruction of non-negative features (B, D, N), in float32."""
        # Autocast would run the products in half precision even on float32 inputs.
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            bases, coefficients = self.factorize(features, self._first_bases(features))
            return bases @ coefficients

    def factorize(self, features: Tensor, bases: Tensor) -> tuple[Tensor, Tensor]:
        """Factorise (B, D, N) from the given first bases (B, D, R), all float32.

        Returns:
            Bases (B, D, R) and coefficients (B, R, N), both non-negative.
        """
        coefficients = functional.softmax(bases.transpose(1, 2) @ features, dim=1)
        for _ in range(self.train_steps if self.training else self.eval_steps):
            coefficients = _update_coefficients(features, bases, coefficients)
            bases = _update_bases(features, bases, coefficients)
        return bases, _update_coefficients(features, bases, coefficients)

    def _first_bases(self, features: Tensor) -> Tensor:
        batch = features.shape[0]
        if not self.training:
            return self.initial_bases.float().expand(batch, -1, -1)
        drawn = draw_uniform(batch, tuple(self.initial_bases.shape[1:]), features.device)
        return functional.normalize(drawn, dim=1)


def _update_coefficients(features: Tensor, bases: Tensor, coefficients: Tensor) -> Tensor:
    # Not `.mT`, which OpenVINO cannot convert.
    transposed = bases.transpose(1, 2)
    numerator = transposed @ features
    denominator = (transposed @ bases) @ coefficients + EPSILON
    return coefficients * numerator / denominator


def _update_bases(features: Tensor, bases: Tensor, coefficients: Tensor) -> Tensor:
    transposed = coefficients.transpose(1, 2)
    numerator = features @ transposed
    denominator = bases @ (coefficients @ transposed) + EPSILON
    return bases * numerator / denominator


class Hamburger(nn.Module):
    """A decomposition between two 1x1 convolutions, with a shortcut (arXiv 2109.04553, eq. 5).

    Args:
        width: D, in and out.
        nmf: The decomposition.
    """

    def __init__(self, width: int, nmf: NMF) -> None:
        super().__init__()
        self.ham_in = conv1x1(width, width)
        self.nmf = nmf
        self.ham_out = conv1x1(width, width, bias=False)
        self.norm = nn.GroupNorm(GROUPS, width)

    def forward(self, features: Tensor) -> Tensor:
        """Add global context to (B, D, h, w); the shape stays."""
        ham = functional.relu(self.ham_in(features))
        context = self.nmf(ham.flatten(2)).to(ham.dtype).view_as(ham)
        return functional.relu(features + self.norm(self.ham_out(context)))


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
    ) -> None:
        super().__init__()
        check_decoder_options(num_classes, width, stages, dropout)
        self.stages = tuple(stages)
        self.stage_channels = [in_channels[stage - 1] for stage in stages]
        self.squeeze = _conv_norm(sum(self.stage_channels), width)
        nmf = NMF(width, rank, train_steps=train_steps, eval_steps=eval_steps)
        self.hamburger = Hamburger(width, nmf)
        self.align = _conv_norm(width, width)
        self.dropout = ChannelDropout(dropout)
        self.classifier = conv1x1(width, num_classes)

    def output_stride(self, strides: Sequence[int]) -> int:
        """Return the pixels of the image per logit, of an encoder with these strides."""
        return strides[self.stages[0] - 1]

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Decode the encoder's maps.

        Args:
            features: The four maps of the encoder, (B, C, ., .), fine to coarse.

        Returns:
            Logits (B, K, h, w) at the resolution of the finest stage read.
        """
        _, squeeze_norm = self.squeeze
        squeezed = functional.relu(squeeze_norm(self._squeeze_stages(features)))
        aligned = functional.relu(self.align(self.hamburger(squeezed)))
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
