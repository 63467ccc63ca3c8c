"""Per-channel statistics of a data set's pixels, from exact histograms.

Satellite and microscope pictures have a few glaring or dead pixels that would decide about mean
and std, so values are clipped to their 0.5 and 99.5 percentiles first, as nnU-Net does with CT
(Isensee et al. 2021, Nature Methods 18, supplementary note 2).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segnext.data.images import Image
from segnext.data.transforms import full_scale
from segnext.errors import DataError
from segnext.spec import Normalization

# A constant channel has no spread; dividing by this keeps it finite.
LEAST_STD = 1e-3
PERCENTILES = (0.5, 50.0, 99.5)

_TOP = 65535

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PixelStatistics:
    """What the values of a data set's pixels are, one entry per channel, in 0-1 units.

    Pixels without data are left out.

    Attributes:
        low: 0.5 percentile.
        median: 50 percentile.
        high: 99.5 percentile.
        mean: Of the values clipped to `low` and `high`.
        std: Of the values clipped to `low` and `high`.
    """

    low: tuple[float, ...]
    median: tuple[float, ...]
    high: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


def count_values(image: Image, missing: npt.NDArray[np.bool_]) -> Counts:
    """Count how often each value occurs in each channel.

    Args:
        image: (H, W, C), 8 or 16 bit.
        missing: (H, W), pixels to leave out.

    Returns:
        (C, 256) or (C, 65536).
    """
    pixels = image[~missing] if missing.any() else image.reshape(-1, image.shape[2])
    bins = full_scale(image) + 1
    return np.stack([np.bincount(channel, minlength=bins) for channel in pixels.T])


def compute_statistics(counts: Iterable[Counts]) -> PixelStatistics:
    """Compute statistics from the histograms of several pictures.

    Args:
        counts: One `count_values` per picture, of either depth; consumed one by one.

    Raises:
        DataError: No pixel was counted.
    """
    total: Counts = np.zeros((1, _TOP + 1), np.int64)
    for part in counts:
        spread = np.zeros((len(part), _TOP + 1), np.int64)
        # 8-bit values v / 255 are the 16-bit values 257 v / 65535, exactly.
        spread[:, :: _TOP // (part.shape[1] - 1)] = part
        total = total + spread
    if not total.any():
        msg = "no pixel of the pictures read holds data: all have the nodata value; check it"
        raise DataError(msg)
    low, median, high = (_percentile(total, percent) for percent in PERCENTILES)
    values = np.arange(_TOP + 1) / _TOP
    means, stds = [], []
    for channel, least, greatest in zip(total, low, high, strict=True):
        clipped = values.clip(least, greatest)
        share = channel / channel.sum()
        mean = float(share @ clipped)
        means.append(mean)
        stds.append(float(share @ (clipped - mean) ** 2) ** 0.5)
    return PixelStatistics(low, median, high, tuple(means), tuple(stds))


def _percentile(counts: Counts, percent: float) -> tuple[float, ...]:
    """Return per channel the least value that at least `percent` of the pixels do not exceed."""
    below = counts.cumsum(axis=1)
    reached = below >= below[:, -1:] * (percent / 100)
    return tuple((reached.argmax(axis=1) / _TOP).tolist())


def build_normalization(
    statistics: PixelStatistics, *, nodata: float | None = None
) -> Normalization:
    """Turn measured statistics into a normalisation that clips as they did.

    A channel whose percentiles coincide is not clipped: nearly all its pixels have one value, and
    the few others are all that it can tell.
    """
    limits = [
        (low, high) if low < high else (0.0, 1.0)
        for low, high in zip(statistics.low, statistics.high, strict=True)
    ]
    return Normalization(
        mean=statistics.mean,
        std=tuple(max(std, LEAST_STD) for std in statistics.std),
        low=tuple(low for low, _ in limits),
        high=tuple(high for _, high in limits),
        nodata=nodata,
    )


def spread_sample(count: int, limit: int) -> list[int]:
    """Return at most `limit` indices of 0..count-1, evenly spread."""
    if count <= limit:
        return list(range(count))
    return [round(index) for index in np.linspace(0, count - 1, limit).tolist()]
