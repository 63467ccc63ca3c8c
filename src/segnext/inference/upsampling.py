"""Bilinear interpolation of logits at any positions, and labels from it band by band.

Interpolation is separable and local, so a band of rows needs only a few rows of logits. Output
pixel r of n samples an axis of s logits at (r + 0.5) * s / n - 0.5, so bands join without seams
and equal `torch.nn.functional.interpolate(align_corners=False)` to rounding.

Shapes: K classes, h and w those of logits, H and W those of the image, n rows and m columns.
"""

import torch
from torch import Tensor

# About 16 MB of float32 a band: small beside any model, large enough to be fast.
BAND_VALUES = 4_000_000

# Of positions along an axis: both neighbouring logits, and the weight of the second.
Neighbours = tuple[Tensor, Tensor, Tensor]


def neighbours(centres: Tensor, size: int) -> Neighbours:
    """Find what positions lie between.

    Args:
        centres: (n,) float64, 0 at the centre of the first logit; clamped to the axis.
        size: Logits along the axis.
    """
    centres = centres.clamp(0, size - 1)
    low = centres.floor().long()
    return low, (low + 1).clamp(max=size - 1), (centres - low).float()


def spread(pixels: int, size: int) -> Neighbours:
    """Find what logits the pixels of an axis lie between, spread edge on edge.

    Args:
        pixels: Along the axis.
        size: Logits along the axis.
    """
    centres = torch.arange(pixels, dtype=torch.float64) + 0.5
    return neighbours(centres * (size / pixels) - 0.5, size)


def interpolate(scores: Tensor, vertical: Neighbours, horizontal: Neighbours) -> Tensor:
    """Interpolate scores (K, h, w) at n rows and m columns: (K, n, m)."""
    low_y, high_y, part_y = vertical
    low_x, high_x, part_x = horizontal
    device = scores.device
    # Columns first, on the few rows that the band touches.
    first, last = int(low_y.min()), int(high_y.max())
    touched = scores[:, first : last + 1]
    stretched = torch.lerp(
        touched.index_select(2, low_x.to(device)),
        touched.index_select(2, high_x.to(device)),
        part_x.to(device),
    )
    return torch.lerp(
        stretched.index_select(1, (low_y - first).to(device)),
        stretched.index_select(1, (high_y - first).to(device)),
        part_y.to(device)[:, None],
    )


def label_scores(logits: Tensor) -> Tensor:
    """Give a single logit its silent partner: softmax over (0, z) is the sigmoid of z."""
    if logits.shape[0] > 1:
        return logits
    return torch.cat([torch.zeros_like(logits), logits])


def label_in_bands(logits: Tensor, height: int, width: int) -> Tensor:
    """Return the winning label of every pixel, interpolating all of them.

    For graphs and devices that know no "only where it is needed"; elsewhere
    `segnext.inference.cells.label_image` does less for the same labels.

    Args:
        logits: (K, h, w).
        height: H in pixels.
        width: W in pixels.

    Returns:
        (H, W) int64.
    """
    scores = label_scores(logits)
    vertical, horizontal = spread(height, scores.shape[1]), spread(width, scores.shape[2])
    step = max(8, BAND_VALUES // (scores.shape[0] * width))
    bands = []
    for first in range(0, height, step):
        low, high, part = (along[first : first + step] for along in vertical)
        bands.append(interpolate(scores, (low, high, part), horizontal).argmax(dim=0))
    return torch.cat(bands)
