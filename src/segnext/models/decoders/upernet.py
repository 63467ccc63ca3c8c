"""UPerNet: pyramid pooling on the last map, a feature pyramid over all of them.

Paper: "Unified Perceptual Parsing for Scene Understanding", arXiv 1807.10221, section 3.1, with the
pooling of PSPNet, arXiv 1612.01105.

Shapes: B batch, C channels of a stage, K classes, D width, h and w height and width of stage 1.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from segnext.errors import UsageError
from segnext.models.decoders.decoder import ConvNorm, Decoder, resize_to

# Along a side. Beyond it a grid takes more memory than the map it is taken of.
_MOST_CELLS = 64


class PyramidPooling(nn.Module):
    """Means over grids of several sizes, beside the map itself.

    Args:
        in_channels: C.
        width: D.
        grids: Cells along each side.
    """

    def __init__(self, in_channels: int, width: int, *, grids: Sequence[int]) -> None:
        super().__init__()
        self.grids = tuple(grids)
        self.branches = nn.ModuleList(ConvNorm(in_channels, width) for _ in self.grids)
        self.fuse = ConvNorm(in_channels + len(self.grids) * width, width, 3)

    def forward(self, features: Tensor) -> Tensor:
        """Transform (B, C, h, w) to (B, D, h, w).

        Raises:
            ValueError: A training batch of one image: its mean is a single position.
        """
        pooled = [
            resize_to(branch(pool_to_grid(features, grid)), features)
            for branch, grid in zip(self.branches, self.grids, strict=True)
        ]
        return self.fuse(torch.cat((features, *pooled), dim=1))  # type: ignore[no-any-return]


def pool_to_grid(features: Tensor, grid: int) -> Tensor:
    """Compute what `adaptive_avg_pool2d` does, as two products of matrices.

    ONNX has no such pooling for sizes that are open when a model is exported.

    Args:
        features: (B, C, h, w).
        grid: Cells along each side, n. They overlap where n does not divide h or w.

    Returns:
        Means (B, C, n, n).
    """
    rows, columns = (_share_of_cells(length, grid, features) for length in features.shape[-2:])
    return rows @ features @ columns.T


def _share_of_cells(length: int, grid: int, like: Tensor) -> Tensor:
    """Return (n, length): in row i, 1 / size at the positions of cell i, 0 elsewhere."""
    positions = torch.arange(length, device=like.device)
    cells = torch.arange(grid, device=like.device)[:, None]
    first, end = cells * length // grid, ((cells + 1) * length + grid - 1) // grid
    inside = (positions >= first) & (positions < end)
    return inside.to(like.dtype) / (end - first).to(like.dtype)


class UPerNet(Decoder):
    """All four maps to logits of the first's resolution.

    Args:
        in_channels: C of the encoder's maps.
        num_classes: K.
        width: D.
        grids: Cells along each side of the pooling's grids.
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
        grids: Sequence[int] = (1, 2, 3, 6),
        dropout: float = 0.1,
    ) -> None:
        super().__init__(num_classes, width, stage=1, dropout=dropout)
        if not all(1 <= grid <= _MOST_CELLS for grid in grids):
            msg = f"grids must lie between 1 and {_MOST_CELLS} cells, got {tuple(grids)}"
            raise UsageError(msg)
        self.pooling = PyramidPooling(in_channels[-1], width, grids=grids)
        self.laterals = nn.ModuleList(ConvNorm(channels, width) for channels in in_channels[:-1])
        self.smooth = nn.ModuleList(ConvNorm(width, width, 3) for _ in in_channels[:-1])
        self.fuse = ConvNorm(len(in_channels) * width, width, 3)
        self.init_weights()

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Compute logits (B, K, h, w) from the encoder's maps.

        Raises:
            ValueError: A training batch of one image.
        """
        merged = [self.pooling(features[-1])]
        for lateral, feature in zip(reversed(self.laterals), features[-2::-1], strict=True):
            fine = lateral(feature)
            merged.append(fine + resize_to(merged[-1], fine))
        coarse, *finer = merged
        smoothed = [smooth(m) for smooth, m in zip(reversed(self.smooth), finer, strict=True)]
        finest = smoothed[-1]
        levels = [*smoothed[::-1], coarse]
        return self.classify(
            self.fuse(torch.cat([resize_to(level, finest) for level in levels], dim=1))
        )
