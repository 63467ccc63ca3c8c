"""Convolutional attention of the encoder's blocks, and the variants of the paper's tables 6 and 8.

Paper: arXiv 2209.08575, section 3.1, figure 2 and equations 1 and 2.

Shapes: B batch, C channels, h and w height and width.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from segnext.errors import UsageError, describe_unknown
from segnext.models.layers import conv1x1, depthwise
from segnext.models.strips import WideStrip

# Of VAN's large kernel: 5x5, then 7x7 with gaps, see as far as a 21x21.
GAP = 3


@dataclass(frozen=True)
class AttentionOptions:
    """How the encoder's attention is built.

    Attributes:
        kind: One of `ATTENTIONS`.
        branches: Odd strip lengths k of `msca`; the paper's are 7, 11 and 21. Empty leaves the
            5x5 alone.
        channel_mixing: The 1x1 behind the context.
        gate: Multiply the input by the context; without it the context is the output.
    """

    kind: str = "msca"
    branches: tuple[int, ...] = (7, 11, 21)
    channel_mixing: bool = True
    gate: bool = True

    def check(self) -> None:
        """Refuse options that cannot be built.

        Raises:
            UsageError: With the value and the range.
        """
        if self.kind not in ATTENTIONS:
            raise UsageError(describe_unknown("attention", self.kind, ATTENTIONS))
        if any(k < 1 or k % 2 == 0 for k in self.branches):
            msg = f"branches are odd strip lengths, got {tuple(self.branches)}"
            raise UsageError(msg)


class MSCA(nn.Module):
    """Multi-scale convolutional attention (section 3.1, equations 1 and 2).

    Args:
        channels: C, in and out.
        branches: As in `AttentionOptions`.
        channel_mixing: As in `AttentionOptions`.
        gate: As in `AttentionOptions`.
    """

    def __init__(
        self,
        channels: int,
        *,
        branches: Sequence[int] = (7, 11, 21),
        channel_mixing: bool = True,
        gate: bool = True,
    ) -> None:
        super().__init__()
        self.gate = gate
        self.local = depthwise(channels, 5, 5)
        self.branches = nn.ModuleList(
            nn.Sequential(WideStrip(channels, k), depthwise(channels, k, 1)) for k in branches
        )
        self.mix = conv1x1(channels, channels) if channel_mixing else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """Weigh (B, C, h, w) by its surroundings; the shape stays."""
        local = self.local(images)
        context = local
        for branch in self.branches:
            context = context + branch(local)
        context = self.mix(context)
        return context * images if self.gate else context  # type: ignore[no-any-return]


class LargeKernelAttention(nn.Module):
    """The attention of VAN, one large kernel in place of the branches (arXiv 2202.09741, eq. 1, 2).

    Args:
        channels: C, in and out.
        channel_mixing: As in `AttentionOptions`.
        gate: As in `AttentionOptions`.
    """

    def __init__(self, channels: int, *, channel_mixing: bool = True, gate: bool = True) -> None:
        super().__init__()
        self.gate = gate
        self.local = depthwise(channels, 5, 5)
        self.wide = nn.Conv2d(channels, channels, 7, padding=3 * GAP, dilation=GAP, groups=channels)
        self.mix = conv1x1(channels, channels) if channel_mixing else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """Weigh (B, C, h, w) by its surroundings; the shape stays."""
        context = self.mix(self.wide(self.local(images)))
        return context * images if self.gate else context  # type: ignore[no-any-return]


def _build_msca(channels: int, options: AttentionOptions) -> nn.Module:
    return MSCA(
        channels,
        branches=options.branches,
        channel_mixing=options.channel_mixing,
        gate=options.gate,
    )


def _build_large_kernel(channels: int, options: AttentionOptions) -> nn.Module:
    return LargeKernelAttention(channels, channel_mixing=options.channel_mixing, gate=options.gate)


ATTENTIONS: Mapping[str, Callable[[int, AttentionOptions], nn.Module]] = {
    "msca": _build_msca,
    "large_kernel": _build_large_kernel,
}


class Attention(nn.Module):
    """1x1, GELU, MSCA or its stand-in, 1x1, and a shortcut around all of it (figure 2b).

    Args:
        channels: C, in and out.
        options: `kind` also names the module inside, so that files tell them apart.
    """

    def __init__(self, channels: int, options: AttentionOptions) -> None:
        super().__init__()
        self.kind = options.kind
        self.proj_in = conv1x1(channels, channels)
        self.add_module(options.kind, ATTENTIONS[options.kind](channels, options))
        self.proj_out = conv1x1(channels, channels)

    def forward(self, normalized: Tensor) -> Tensor:
        """Attend within (B, C, h, w), the block's normalised input; the shape stays."""
        inside = self.get_submodule(self.kind)
        attended = inside(functional.gelu(self.proj_in(normalized)))
        return self.proj_out(attended) + normalized  # type: ignore[no-any-return]
