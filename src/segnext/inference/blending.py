"""Windows blended on the network's own grid, so that no seam shows where they meet.

A window knows least about what lies at its edges. Here each logit weighs more the farther it is
from the edges of its window, and windows lie on one grid of logits (their corners are multiples
of the network's greatest stride), so that blending costs a 64th of what it would at the pixels,
and what comes of it is one map of logits like any other.

Shapes: K classes, h and w those of the logits of a window.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from segnext.inference.views import Tile


def blend_tiles(tiles: Sequence[Tile], first: int, last: int) -> Tile:
    """Blend the windows that lie over some rows into one tile of the whole width.

    Args:
        tiles: On one grid.
        first: First row, in pixels of the resized picture.
        last: Behind the last row, likewise.

    Returns:
        A tile that reaches at least one logit beyond these rows, where the windows do.
    """
    stride = tiles[0].height // tiles[0].logits.shape[1]
    # A row lies between two logits; one more on each side spares a look at which.
    top = max(min(tile.top for tile in tiles) // stride, first // stride - 1)
    bottom = min(max(tile.top + tile.height for tile in tiles) // stride, last // stride + 2)
    columns = max(tile.left + tile.width for tile in tiles) // stride
    example = tiles[0].logits
    total = example.new_zeros(example.shape[0], bottom - top, columns)
    weight = example.new_zeros(bottom - top, columns)
    for tile in tiles:
        start = tile.top // stride
        # Rows of the tile that lie in the result.
        inside = slice(max(0, top - start), min(tile.logits.shape[1], bottom - start))
        if inside.start >= inside.stop:
            continue
        share = _weights(tile.logits)[inside]
        rows = slice(start + inside.start - top, start + inside.stop - top)
        left = tile.left // stride
        across = slice(left, left + tile.logits.shape[2])
        total[:, rows, across] += tile.logits[:, inside] * share
        weight[rows, across] += share
    height, width = (bottom - top) * stride, columns * stride
    return Tile(total / weight, top * stride, 0, height, width)


def _weights(logits: Tensor) -> Tensor:
    """Return the weight of each logit of a window, (h, w): falls linearly towards its edges."""
    vertical, horizontal = (_ramp(size, logits) for size in logits.shape[1:])
    return vertical[:, None] * horizontal


def _ramp(size: int, like: Tensor) -> Tensor:
    steps = torch.arange(size, device=like.device, dtype=like.dtype)
    return torch.minimum(steps, size - 1 - steps) + 1
