"""Per-channel statistics of a data set's pixels."""

from collections.abc import Sequence

import numpy as np

from segnext.data.loader import LabelledImages
from segnext.data.transforms import full_scale
from segnext.spec import IMAGENET_NORMALIZATION, Normalization

SAMPLE = 64
# A constant channel has no spread; dividing by this keeps it finite.
LEAST_STD = 1e-3


def choose_normalization(images: LabelledImages, *, channels: int, bits: int) -> Normalization:
    """Return ImageNet's statistics for 8-bit RGB, else those of the pictures themselves.

    Args:
        images: The training split.
        channels: Of every picture.
        bits: 8 or 16.
    """
    if channels == 3 and bits == 8:
        return IMAGENET_NORMALIZATION
    return measure_normalization(images, spread_sample(len(images), SAMPLE))


def measure_normalization(images: LabelledImages, indices: Sequence[int]) -> Normalization:
    """Compute mean and std per channel, in 0-1 units, over all pixels of the given pictures."""
    count, total, squares = 0, 0.0, 0.0
    for index in indices:
        image = images[index]["image"]
        scaled = image.reshape(-1, image.shape[2]) / np.float64(full_scale(image))
        count += len(scaled)
        total = total + scaled.sum(0)
        squares = squares + (scaled**2).sum(0)
    mean = np.asarray(total) / count
    std = np.sqrt(np.maximum(np.asarray(squares) / count - mean**2, LEAST_STD**2))
    return Normalization(tuple(mean.tolist()), tuple(std.tolist()))


def spread_sample(count: int, limit: int) -> list[int]:
    """Return at most `limit` indices of 0..count-1, evenly spread."""
    if count <= limit:
        return list(range(count))
    return [round(index) for index in np.linspace(0, count - 1, limit).tolist()]
