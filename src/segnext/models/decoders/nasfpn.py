"""NAS-FPN with a light head for segmentation.

Papers: NAS-FPN, arXiv 1904.07392, section 3 and figure 6; for segmentation "Rethinking
Pre-training and Self-training", arXiv 2006.06882, appendix on semantic segmentation: seven
repeats, depthwise separable convolutions, levels 3 to 7, all resized to level 2 and added, three
3x3 convolutions and a 1x1. Level n has stride 2 ** n. What the papers leave open, and what is
done here:

- Which pooling the attention of a merging cell has: the maximum over positions, then a sigmoid.
- Which of its two inputs is pooled: the second of each row of `CELLS`.
- Where normalisations go: behind every convolution; a cell's is ReLU, convolution, normalisation.
- The width of pyramid and head: 256. With it EfficientNet-L2 comes to 473 M parameters of the 485 M
  published, which seem to count the unused last layers of the classification network (13 M).
- How levels become alike: nearest neighbour upwards and maximum pooling downwards, as in the
  first paper; bilinear before the sum of the head.

Shapes: B batch, C channels, K classes, D width, h and w height and width of level 2.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from segnext.errors import UsageError
from segnext.models.decoders.decoder import (
    MOST_CONVS,
    ConvNorm,
    Decoder,
    check_statistics,
    resize_to,
)
from segnext.models.layers import conv1x1, depthwise

LEVELS = (3, 4, 5, 6, 7)


class Cell(NamedTuple):
    """A merging cell: the level it makes, and the candidates it merges.

    Candidates are numbered: 0 to 4 are the levels 3 to 7 that come in, 5 is what the first cell
    makes, and so on.
    """

    level: int
    first: int
    second: int
    attend: bool


# The discovered architecture of figure 6. Every level's last cell makes what goes out.
CELLS = (
    Cell(4, 1, 3, attend=True),
    Cell(4, 1, 5, attend=False),
    Cell(3, 0, 6, attend=False),
    Cell(4, 6, 7, attend=False),
    Cell(5, 7, 8, attend=True),
    Cell(7, 6, 9, attend=True),
    Cell(6, 9, 10, attend=True),
)

# The candidates that go out, of the levels 3 to 7.
OUTPUTS = tuple(
    max(len(LEVELS) + n for n, cell in enumerate(CELLS) if cell.level == level) for level in LEVELS
)
UNREAD = set(range(len(LEVELS))) - {index for cell in CELLS for index in (cell.first, cell.second)}


class MergingCells(nn.Module):
    """One repeat: five levels to five levels of the same sizes (figures 4 and 6).

    A level that comes in and that no cell reads is added to what goes out at that level.

    Args:
        width: D of every level.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Sequential(
                nn.ReLU(),
                depthwise(width, 3, 3),
                conv1x1(width, width, bias=False),
                nn.BatchNorm2d(width),
            )
            for _ in CELLS
        )

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Merge maps (B, D, ., .) of the levels 3 to 7, fine to coarse; the shapes stay."""
        candidates = list(levels)
        numbers = list(LEVELS)
        for cell, conv in zip(CELLS, self.convs, strict=True):
            target = levels[LEVELS.index(cell.level)]
            first, second = (
                _fit(candidates[index], cell.level - numbers[index], target)
                for index in (cell.first, cell.second)
            )
            if cell.attend:
                pooled = candidates[cell.second].amax(dim=(2, 3), keepdim=True)
                first = first * pooled.sigmoid()
            merged = first + second
            if len(candidates) in OUTPUTS and OUTPUTS.index(len(candidates)) in UNREAD:
                merged = merged + target
            check_statistics(conv.get_submodule("3"), merged)
            candidates.append(conv(merged))
            numbers.append(cell.level)
        return [candidates[index] for index in OUTPUTS]


class NASFPN(Decoder):
    """Three maps at strides 8, 16 and 32 to logits of the resolution of the first, stride 4.

    Args:
        in_channels: C of the encoder's maps.
        num_classes: K.
        width: D.
        repeats: Of the merging cells.
        head_convs: 3x3 convolutions on the sum of the levels.
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
        repeats: int = 7,
        head_convs: int = 3,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(num_classes, width, stage=1, dropout=dropout)
        if not (1 <= repeats <= MOST_CONVS and 0 <= head_convs <= MOST_CONVS):
            msg = (
                f"repeats must lie between 1 and {MOST_CONVS} and head_convs between 0 and "
                f"{MOST_CONVS}, got {repeats} and {head_convs}"
            )
            raise UsageError(msg)
        self.laterals = nn.ModuleList(_conv_norm(channels, width) for channels in in_channels[1:])
        self.cells = nn.Sequential(*(MergingCells(width) for _ in range(repeats)))
        self.head = nn.Sequential(*(ConvNorm(width, width, 3) for _ in range(head_convs)))
        self.init_weights()

    def output_stride(self, strides: Sequence[int]) -> int:
        """Return the pixels of the image per logit.

        Raises:
            UsageError: The strides do not double from map to map.
        """
        if any(coarse != 2 * fine for fine, coarse in pairwise(strides)):
            msg = f"nasfpn reads maps of doubling strides, the encoder has {tuple(strides)}"
            raise UsageError(msg)
        return super().output_stride(strides)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Compute logits (B, K, h, w) from the encoder's maps.

        Raises:
            ValueError: A training batch of one image so small that its level 7 is one position.
        """
        levels = [lateral(read) for lateral, read in zip(self.laterals, features[1:], strict=True)]
        while len(levels) < len(LEVELS):
            levels.append(_halve(levels[-1]))
        merged = self.cells(levels)
        summed = resize_to(merged[0], features[0])
        for level in merged[1:]:
            summed = summed + resize_to(level, features[0])
        return self.classify(self.head(summed))


def _conv_norm(in_channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(conv1x1(in_channels, width, bias=False), nn.BatchNorm2d(width))


def _fit(features: Tensor, levels: int, target: Tensor) -> Tensor:
    """Bring a map (B, D, ., .) up so many levels: maximum pooling, or nearest to lower ones."""
    if levels < 0:
        return functional.interpolate(features, size=target.shape[-2:], mode="nearest")
    for _ in range(levels):
        features = _halve(features)
    return features


def _halve(features: Tensor) -> Tensor:
    return functional.max_pool2d(features, 3, stride=2, padding=1)
