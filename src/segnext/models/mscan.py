"""MSCAN, the multi-scale convolutional attention encoder of SegNeXt.

Paper: arXiv 2209.08575, section 3.1, figure 2 and table 2. Notable:

- Attention is convolution: a 5x5 and pairs of strips (1xk, kx1) look around each pixel, a 1x1
  mixes channels, and the result multiplies the input. No softmax, no tokens.
- Batch normalisation inside blocks, layer normalisation between stages.
- The inner shortcut of the attention adds the *normalised* input, not the block's input.
- The reference lists dropouts inside the feed-forward network; every released configuration sets
  their rate to 0, and they are not built here.

Shapes: B batch, C channels of a stage, H and W height and width of the image. A stage's map is
(B, C, ceil(H / s), ceil(W / s)) with stride s = 4, 8, 16, 32.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from segnext.errors import UsageError
from segnext.models.attention import Attention, AttentionOptions
from segnext.models.layers import ChannelLayerNorm, conv1x1, depthwise, draw_drop_path

MIN_SIZE = 32
# Of a stage: published ones have 27. A hostile configuration would keep a reader busy for seconds.
_MOST_BLOCKS = 100
# Strides of the stem's two convolutions by the stride of both together.
STEM_STRIDES = {4: (2, 2), 2: (2, 1), 1: (1, 1)}
LAYER_SCALE_START = 0.01
# Channels and blocks of each stage (table 2).
MSCAN_SIZES: dict[str, dict[str, tuple[int, ...]]] = {
    "mscan_tiny": {"embed_dims": (32, 64, 160, 256), "depths": (3, 3, 5, 2)},
    "mscan_small": {"embed_dims": (64, 128, 320, 512), "depths": (2, 2, 4, 2)},
    "mscan_base": {"embed_dims": (64, 128, 320, 512), "depths": (3, 3, 12, 3)},
    "mscan_large": {"embed_dims": (64, 128, 320, 512), "depths": (3, 5, 27, 3)},
}


class FeedForward(nn.Module):
    """1x1 up, depthwise 3x3, GELU, 1x1 down.

    Args:
        channels: C, in and out.
        expansion: Hidden channels per channel.
    """

    def __init__(self, channels: int, *, expansion: int) -> None:
        super().__init__()
        hidden = channels * expansion
        self.expand = conv1x1(channels, hidden)
        self.depthwise = depthwise(hidden, 3, 3)
        self.project = conv1x1(hidden, channels)

    def forward(self, normalized: Tensor) -> Tensor:
        """Transform (B, C, h, w); the shape stays."""
        return self.project(functional.gelu(self.depthwise(self.expand(normalized))))  # type: ignore[no-any-return]


class Block(nn.Module):
    """Two residual branches, attention and feed-forward, each scaled per channel.

    Args:
        channels: C, in and out.
        expansion: Of the feed-forward network.
        attention: How the attention is built.
        drop_path_rate: Probability of skipping each branch for a sample in training.
    """

    def __init__(
        self,
        channels: int,
        *,
        expansion: int,
        attention: AttentionOptions,
        drop_path_rate: float,
    ) -> None:
        super().__init__()
        self.drop_path_rate = drop_path_rate
        self.norm1 = nn.BatchNorm2d(channels)
        self.attention = Attention(channels, attention)
        self.scale1 = layer_scale(channels)
        self.norm2 = nn.BatchNorm2d(channels)
        self.ffn = FeedForward(channels, expansion=expansion)
        self.scale2 = layer_scale(channels)

    def draw(self, images: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Draw this step's randomness: which samples of (B, ...) keep each branch."""
        if not self.training or self.drop_path_rate == 0.0:
            return None, None
        rate = self.drop_path_rate
        return draw_drop_path(images, rate), draw_drop_path(images, rate)

    def forward(
        self, images: Tensor, keep1: Tensor | None = None, keep2: Tensor | None = None
    ) -> Tensor:
        """Transform (B, C, h, w); `keep1` and `keep2` come from `draw`."""
        # The small per-channel, per-sample factors meet first: one pass over the big tensor.
        scale1 = self.scale1[:, None, None] if keep1 is None else self.scale1[:, None, None] * keep1
        images = images + scale1 * self.attention(self.norm1(images))
        scale2 = self.scale2[:, None, None] if keep2 is None else self.scale2[:, None, None] * keep2
        return images + scale2 * self.ffn(self.norm2(images))  # type: ignore[no-any-return]

    def contexts(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        """Return what surrounds a checkpointed forward pass and its recomputation."""
        return nullcontext(), self._hold_running_statistics()

    @contextmanager
    def _hold_running_statistics(self) -> Iterator[None]:
        # The forward pass moved them already: the recomputation moves copies.
        held = [
            (norm, name, value)
            for norm in (self.norm1, self.norm2)
            for name, value in norm.named_buffers()
        ]
        for norm, name, value in held:
            setattr(norm, name, value.clone())
        try:
            yield
        finally:
            for norm, name, value in held:
                setattr(norm, name, value)


def layer_scale(channels: int) -> nn.Parameter:
    """Build the per-channel scale (C,) of a residual branch, which starts almost closed."""
    return nn.Parameter(torch.full((channels,), LAYER_SCALE_START))


def build_stem(in_channels: int, channels: int, stride: int = 4) -> nn.Sequential:
    """Two 3x3 convolutions: (B, in_channels, H, W) to (B, C, ceil(H/s), ceil(W/s)), s = stride."""
    first, second = STEM_STRIDES[stride]
    return nn.Sequential(
        nn.Conv2d(in_channels, channels // 2, 3, stride=first, padding=1),
        nn.BatchNorm2d(channels // 2),
        nn.GELU(),
        nn.Conv2d(channels // 2, channels, 3, stride=second, padding=1),
        nn.BatchNorm2d(channels),
    )


def build_downsample(in_channels: int, channels: int) -> nn.Sequential:
    """One strided 3x3 convolution: halves H and W, odd sizes round up."""
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 3, stride=2, padding=1), nn.BatchNorm2d(channels)
    )


class Stage(nn.Module):
    """Downsampling, blocks, and a layer normalisation.

    Args:
        downsample: Module that makes this stage's resolution and channels.
        blocks: The stage's blocks.
        channels: C of this stage.
        activation_checkpointing: Recompute the blocks in the backward pass instead of keeping
            their activations. Randomness is drawn outside the recomputed part, so both passes
            see the same; running statistics move in the first alone.
    """

    def __init__(
        self,
        downsample: nn.Module,
        blocks: Sequence[Block],
        channels: int,
        *,
        activation_checkpointing: bool,
    ) -> None:
        super().__init__()
        self.activation_checkpointing = activation_checkpointing
        self.downsample = downsample
        self.blocks = nn.ModuleList(blocks)
        self.norm = ChannelLayerNorm(channels)

    def forward(self, images: Tensor) -> Tensor:
        """Map the stage before, (B, C', h, w), to this one, (B, C, ceil(h/2), ceil(w/2))."""
        images = self.downsample(images)
        for block in self.blocks:
            assert isinstance(block, Block)
            keep1, keep2 = block.draw(images)
            if self.activation_checkpointing and self.training:
                images = checkpoint(
                    block,
                    images,
                    keep1,
                    keep2,
                    use_reentrant=False,
                    preserve_rng_state=False,
                    context_fn=block.contexts,
                )
            else:
                images = block(images, keep1, keep2)
        return self.norm(images)  # type: ignore[no-any-return]


class MSCAN(nn.Module):
    """The encoder: an image to four feature maps, fine to coarse.

    Args:
        in_channels: Channels of the image.
        embed_dims: C of the four stages.
        depths: Blocks in each stage.
        mlp_ratios: Expansion of the feed-forward networks of each stage.
        drop_path_rate: Of the last block; grows linearly from 0 over all blocks.
        branches: Strip lengths of every MSCA; a large kernel has none.
        stem_stride: Of the first map against the image: 4, or 2 or 1 for small pictures.
        activation_checkpointing: Trade time for memory in training.
        attention: `msca`, or `large_kernel` in its place.
        channel_mixing: The 1x1 behind the attention's context.
        gate: The multiplication of the attention's input by the context.

    Attributes:
        out_channels: C of each returned map.
        strides: Of each returned map against the image: 4, 8, 16, 32 for the paper's stem.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        embed_dims: Sequence[int],
        depths: Sequence[int],
        mlp_ratios: Sequence[int] = (8, 8, 4, 4),
        drop_path_rate: float = 0.1,
        branches: Sequence[int] = (7, 11, 21),
        stem_stride: int = 4,
        activation_checkpointing: bool = False,
        attention: str = "msca",
        channel_mixing: bool = True,
        gate: bool = True,
    ) -> None:
        super().__init__()
        check_encoder_options(in_channels, drop_path_rate, stem_stride)
        options = AttentionOptions(attention, tuple(branches), channel_mixing, gate)
        options.check()
        self.in_channels = in_channels
        self.out_channels = tuple(embed_dims)
        self.strides = tuple(stem_stride * 2**stage for stage in range(len(embed_dims)))
        if not all(1 <= depth <= _MOST_BLOCKS for depth in depths):
            msg = f"depths must lie between 1 and {_MOST_BLOCKS} blocks, got {tuple(depths)}"
            raise UsageError(msg)
        last = max(1, sum(depths) - 1)
        self.stages = nn.ModuleList()
        for index, (channels, depth) in enumerate(zip(embed_dims, depths, strict=True)):
            first = sum(depths[:index])
            blocks = [
                Block(
                    channels,
                    expansion=mlp_ratios[index],
                    attention=options,
                    drop_path_rate=drop_path_rate * (first + offset) / last,
                )
                for offset in range(depth)
            ]
            downsample = (
                build_stem(in_channels, channels, stem_stride)
                if index == 0
                else build_downsample(embed_dims[index - 1], channels)
            )
            self.stages.append(
                Stage(
                    downsample, blocks, channels, activation_checkpointing=activation_checkpointing
                )
            )

    def forward(self, images: Tensor) -> list[Tensor]:
        """Encode images.

        Args:
            images: (B, in_channels, H, W), normalised; H and W at least the greatest stride, 32
                for the paper's stem; any other size goes.

        Returns:
            Four maps (B, C, ceil(H/s), ceil(W/s)) for each s of `strides`.

        Raises:
            ValueError: The channel count differs, the image is smaller than the greatest stride,
                or a training batch leaves batch statistics a single value.
        """
        self._check(images)
        features = []
        for stage in self.stages:
            images = stage(images)
            features.append(images)
        return features

    def _check(self, images: Tensor) -> None:
        batch, channels, height, width = images.shape
        if channels != self.in_channels:
            msg = f"images have {channels} channels, the model was built for {self.in_channels}"
            raise ValueError(msg)
        least = self.strides[-1]
        if height < least or width < least:
            msg = f"images of {height}x{width} px are too small: at least {least}x{least}"
            raise ValueError(msg)
        if self.training and batch == 1 and height == least and width == least:
            msg = (
                f"a training batch of one {least}x{least} image leaves stage 4 a single "
                f"position, and batch statistics need two: use a larger crop or batch"
            )
            raise ValueError(msg)


def check_encoder_options(in_channels: int, drop_path_rate: float, stem_stride: int) -> None:
    """Refuse encoder options that cannot be built.

    Raises:
        UsageError: With the value and the range.
    """
    if in_channels < 1:
        msg = f"in_channels must be at least 1, got {in_channels}"
        raise UsageError(msg)
    if not 0.0 <= drop_path_rate < 1.0:
        msg = f"drop_path_rate must lie in [0, 1), got {drop_path_rate}"
        raise UsageError(msg)
    if stem_stride not in STEM_STRIDES:
        msg = f"stem_stride must be 4, 2 or 1, got {stem_stride}"
        raise UsageError(msg)
