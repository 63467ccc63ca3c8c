"""What the decoder looks around with: the hamburger, and what the paper compares it to.

Paper: arXiv 2209.08575, section 4.2 and table 5; the sources of the modules are named with each.
All take the hamburger's place, (B, D, h, w) to (B, D, h, w) of one resolution, and read what a
group normalisation and a ReLU made. Readings chosen where the paper has none:

- What is added to a shortcut passes a group normalisation first, as in the hamburger, where the
  sources have a batch normalisation or nothing; a ReLU follows the sum.
- Criss-cross attention stands between two 1x1 convolutions, as the decomposition does, and
  expectation-maximisation attention behind one: so they cost what the table says.

Shapes: B batch, D width, h and w height and width, N = h * w positions, R rank, E width of queries
and keys.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional

from segnext.errors import UsageError, describe_unknown
from segnext.models.attention import Attention, AttentionOptions
from segnext.models.decompositions import (
    EPSILON,
    Decomposition,
    build_decomposition,
    unit_columns,
)
from segnext.models.layers import conv1x1, without_autocast

GROUPS = 32
CRISS_CROSS_RECURRENCE = 2
CRISS_CROSS_REDUCTION = 8
NON_LOCAL_REDUCTION = 2
EMA_STEPS = 3
EMA_MOMENTUM = 0.9
GATE_REDUCTION = 16


@dataclass(frozen=True)
class ContextOptions:
    """What contexts are built from; each takes what it needs.

    Attributes:
        width: D, a multiple of 32.
        rank: R of decompositions, and the number of bases of `ExpectationMaximization`.
        decomposition: Of the hamburger, one of `DECOMPOSITIONS`.
        train_steps: Of the decomposition.
        eval_steps: Of the decomposition.
    """

    width: int
    rank: int = 16
    decomposition: str = "nmf"
    train_steps: int = 6
    eval_steps: int = 7


class Hamburger(nn.Module):
    """A decomposition between two 1x1 convolutions, with a shortcut (arXiv 2109.04553, eq. 5).

    Args:
        width: D, in and out.
        name: The decomposition's, by which it is an attribute.
        decomposition: Built for D rows.
    """

    def __init__(self, width: int, name: str, decomposition: Decomposition) -> None:
        super().__init__()
        self.decomposition_name = name
        self.ham_in = conv1x1(width, width)
        self.add_module(name, decomposition)
        self.ham_out = conv1x1(width, width, bias=False)
        self.norm = nn.GroupNorm(GROUPS, width)
        self.non_negative = decomposition.non_negative

    def forward(self, features: Tensor) -> Tensor:
        """Add global context to (B, D, h, w); the shape stays."""
        ham = self.ham_in(features)
        if self.non_negative:
            ham = functional.relu(ham)
        decomposition = self.get_submodule(self.decomposition_name)
        context = decomposition(ham.flatten(2)).to(ham.dtype).view_as(ham)
        return functional.relu(features + self.norm(self.ham_out(context)))


class CrissCross(nn.Module):
    """Attention along each position's row and column, twice (arXiv 1811.11721, equations 1 and 2).

    The second round, with the same weights, carries what the first one found to every position.

    Args:
        width: D, in and out; queries and keys have E = D / 8.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        narrow = width // CRISS_CROSS_REDUCTION
        self.proj_in = conv1x1(width, width)
        self.query = conv1x1(width, narrow)
        self.key = conv1x1(width, narrow)
        self.value = conv1x1(width, width)
        self.proj_out = conv1x1(width, width, bias=False)
        self.norm = nn.GroupNorm(GROUPS, width)

    def forward(self, features: Tensor) -> Tensor:
        """Add context to (B, D, h, w); the shape stays."""
        context = self.proj_in(features)
        for _ in range(CRISS_CROSS_RECURRENCE):
            context = context + attend_criss_cross(
                self.query(context), self.key(context), self.value(context)
            )
        return functional.relu(features + self.norm(self.proj_out(context)))


def attend_criss_cross(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Average values over the h + w - 1 positions in each one's row and column.

    The weights are the softmax of the products of its query with their keys.

    Args:
        query: (B, E, h, w).
        key: (B, E, h, w).
        value: (B, D, h, w).

    Returns:
        (B, D, h, w).
    """
    height, width = query.shape[-2:]
    # Columns as (B, w, h, .), rows as (B, h, w, .): a matrix for each column and each row.
    vertical = query.permute(0, 3, 2, 1) @ key.permute(0, 3, 1, 2)
    horizontal = query.permute(0, 2, 3, 1) @ key.permute(0, 2, 1, 3)
    # A position lies in its row and in its column, and counts once.
    number = torch.arange(height, device=query.device)
    vertical = vertical.masked_fill(number[:, None] == number, float("-inf"))
    energies = torch.cat([vertical.transpose(1, 2), horizontal], dim=3)  # (B, h, w, h + w)
    # Split by sizes given as such, and not as slices, for exporters with dynamic sizes.
    weights = functional.softmax(energies, dim=3).to(value.dtype)
    along_column, along_row = torch.split(weights, [height, width], dim=3)
    from_column = along_column.transpose(1, 2) @ value.permute(0, 3, 2, 1)  # (B, w, h, D)
    from_row = along_row @ value.permute(0, 2, 3, 1)  # (B, h, w, D)
    return from_column.permute(0, 3, 2, 1) + from_row.permute(0, 3, 1, 2)


class NonLocal(nn.Module):
    """Attention of every position to all (arXiv 1711.07971, equations 1, 4 and 6).

    The embedded Gaussian with half the width inside. Memory grows with N squared. The source
    starts closed, to enter trained networks unnoticed; a new decoder has no need of that.

    Args:
        width: D, in and out; queries, keys and values have D / 2.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        narrow = width // NON_LOCAL_REDUCTION
        self.query = conv1x1(width, narrow)
        self.key = conv1x1(width, narrow)
        self.value = conv1x1(width, narrow)
        self.proj_out = conv1x1(narrow, width, bias=False)
        self.norm = nn.GroupNorm(GROUPS, width)

    def forward(self, features: Tensor) -> Tensor:
        """Add global context to (B, D, h, w); the shape stays."""
        query = self.query(features)
        energies = query.flatten(2).transpose(1, 2) @ self.key(features).flatten(2)
        weights = functional.softmax(energies, dim=2).to(query.dtype)
        context = self.value(features).flatten(2) @ weights.transpose(1, 2)
        return functional.relu(features + self.norm(self.proj_out(context.view_as(query))))


class ExpectationMaximization(nn.Module):
    """Expectation-maximisation attention (arXiv 1907.13426, section 4).

    R bases of unit length start from a buffer and are moved to the image's features; the image is
    put together from them. In training, the buffer follows the mean of the moved bases, and is not
    learned. Arithmetic stays in float32. The gradient flows through the three iterations.

    Args:
        width: D, in and out.
        rank: R.
    """

    initial_bases: Tensor

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        # Its checks, and its first bases from a generator of its own.
        bases = build_decomposition("vq", width, rank, train_steps=0, eval_steps=0).initial_bases
        self.proj_in = conv1x1(width, width)
        self.register_buffer("initial_bases", bases)
        self.norm = nn.GroupNorm(GROUPS, width)

    def forward(self, features: Tensor) -> Tensor:
        """Add global context to (B, D, h, w); the shape stays."""
        projected = self.proj_in(features)
        with without_autocast(features.device):
            matrix = projected.flatten(2).float()
            first = self.initial_bases.float()
            if self.training:
                first = first.clone()  # the backward pass reads it after the buffer has moved
            first = first.expand(matrix.shape[0], -1, -1)
            bases, shares = maximize_expectation(matrix, first, EMA_STEPS)
            context = (bases @ shares).to(projected.dtype).view_as(projected)
        if self.training:
            self._follow(bases.detach())
        return functional.relu(features + self.norm(context))

    @torch.no_grad()
    def _follow(self, bases: Tensor) -> None:
        # The mean over the whole batch, which processes may share: all keep the same buffer.
        summed = torch.cat([bases.sum(dim=0).flatten(), bases.new_tensor([len(bases)])])
        if distributed.is_available() and distributed.is_initialized():
            distributed.all_reduce(summed)
        mean = (summed[:-1] / summed[-1]).view_as(self.initial_bases)
        self.initial_bases.lerp_(mean.to(self.initial_bases.dtype), 1 - EMA_MOMENTUM)


def maximize_expectation(matrix: Tensor, bases: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Move bases to features.

    Each step shares every position among the bases by the softmax of their products, and moves
    each basis to the mean of the positions weighted by its shares, scaled to unit length.

    Args:
        matrix: (B, D, N), float32.
        bases: (B, D, R), float32.
        steps: At least 1.

    Returns:
        Bases (B, D, R) and the last shares (B, R, N).
    """
    shares = matrix
    for _ in range(steps):
        shares = functional.softmax(bases.transpose(1, 2) @ matrix, dim=1)
        weights = shares.sum(dim=2, keepdim=True).transpose(1, 2)
        bases = unit_columns(matrix @ shares.transpose(1, 2) / (weights + EPSILON))
    return bases, shares


class ConvolutionalAttention(nn.Module):
    """The encoder's attention in the decoder, the paper's "MSCA head" (its supplement).

    Args:
        width: D, in and out.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = Attention(width, AttentionOptions())
        self.norm = nn.GroupNorm(GROUPS, width)

    def forward(self, features: Tensor) -> Tensor:
        """Add context to (B, D, h, w); the shape stays."""
        return functional.relu(features + self.norm(self.attention(features)))


class SqueezeExcitation(nn.Module):
    """Channels weighed by the means of all (arXiv 1709.01507, equations 2 to 4); reduction 16.

    Args:
        width: D, in and out.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduce = conv1x1(width, width // GATE_REDUCTION)
        self.expand = conv1x1(width // GATE_REDUCTION, width)

    def forward(self, features: Tensor) -> Tensor:
        """Weigh the channels of (B, D, h, w); the shape stays."""
        means = features.mean(dim=(2, 3), keepdim=True)
        return features * torch.sigmoid(self.expand(functional.relu(self.reduce(means))))


class ChannelSpatialAttention(nn.Module):
    """CBAM: channels weighed, then positions (arXiv 1807.06521, section 3); reduction 16.

    Args:
        width: D, in and out.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduce = conv1x1(width, width // GATE_REDUCTION)
        self.expand = conv1x1(width // GATE_REDUCTION, width)
        self.spatial = nn.Conv2d(2, 1, kernel_size=7, padding=3)

    def forward(self, features: Tensor) -> Tensor:
        """Weigh channels and positions of (B, D, h, w); the shape stays."""
        means = features.mean(dim=(2, 3), keepdim=True)
        greatest = features.amax(dim=(2, 3), keepdim=True)
        features = features * torch.sigmoid(self._mix(means) + self._mix(greatest))
        planes = [features.mean(dim=1, keepdim=True), features.amax(dim=1, keepdim=True)]
        return features * torch.sigmoid(self.spatial(torch.cat(planes, dim=1)))

    def _mix(self, pooled: Tensor) -> Tensor:
        return self.expand(functional.relu(self.reduce(pooled)))  # type: ignore[no-any-return]


def _build_hamburger(options: ContextOptions) -> nn.Module:
    decomposition = build_decomposition(
        options.decomposition,
        options.width,
        options.rank,
        train_steps=options.train_steps,
        eval_steps=options.eval_steps,
    )
    return Hamburger(options.width, options.decomposition, decomposition)


CONTEXTS: Mapping[str, Callable[[ContextOptions], nn.Module]] = {
    "hamburger": _build_hamburger,
    "cc": lambda options: CrissCross(options.width),
    "ema": lambda options: ExpectationMaximization(options.width, options.rank),
    "non_local": lambda options: NonLocal(options.width),
    "msca": lambda options: ConvolutionalAttention(options.width),
    "squeeze_excitation": lambda options: SqueezeExcitation(options.width),
    "cbam": lambda options: ChannelSpatialAttention(options.width),
    "none": lambda options: nn.Identity(),
}


def build_context(name: str, options: ContextOptions) -> nn.Module:
    """Build one of `CONTEXTS`.

    Raises:
        UsageError: Unknown name, or an option out of range.
    """
    if name not in CONTEXTS:
        raise UsageError(describe_unknown("decoder_attention", name, CONTEXTS))
    return CONTEXTS[name](options)
