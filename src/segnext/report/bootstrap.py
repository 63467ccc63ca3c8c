"""How far a score may be chance: intervals by drawing the pictures again (Efron, 1979).

Pictures that belong together, such as the frames of one video, are drawn together: taken one by
one they would make an interval too narrow. The score of each draw is computed from the sum of
its confusion matrices, as the score itself is.

Shapes: N pictures, G groups, R draws, L labels. Counts (., 3, L) are right, true and predicted
pixels of each label, which is all of a confusion matrix that IoU needs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RESAMPLES = 2000
LEVEL = 0.95
_SEED = 0
_CHUNK = 200

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """Where a figure would lie with other pictures of the same kind.

    Attributes:
        low: Lower end.
        high: Upper end.
        level: Share of the draws between both.
        over: What was drawn, `images` or `groups`.
        units: How many of them there are.
        resamples: Number of draws.
    """

    low: float
    high: float
    level: float
    over: str
    units: int
    resamples: int


@dataclass(frozen=True)
class Units:
    """What is drawn.

    Attributes:
        numbers: (N,), the unit of each picture, from 0.
        count: How many units.
        over: `images` or `groups`.
    """

    numbers: npt.NDArray[np.intp]
    count: int
    over: str

    @classmethod
    def of(cls, groups: Sequence[str], names: Sequence[str]) -> "Units":
        """Take groups as units where there are any, which is where they are not the names."""
        over = "images" if list(groups) == list(names) else "groups"
        _, numbers = np.unique(groups, return_inverse=True)
        return cls(numbers, len(set(groups)), over)


def iou_of(counts: npt.NDArray[np.int64] | Floats) -> Floats:
    """Return IoU (., L) of counts (., 3, L), `nan` where a label is in neither."""
    right, true, predicted = counts[..., 0, :], counts[..., 1, :], counts[..., 2, :]
    either = np.asarray(true + predicted - right, np.float64)
    undefined = np.full(either.shape, np.nan)
    return np.asarray(np.divide(right, either, out=undefined, where=either > 0))


def mean_defined(values: Floats) -> Floats:
    """Return means (.,) over the last axis without its `nan`, which remain where all are."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=-1)
    total = np.where(defined, values, 0).sum(axis=-1)
    undefined = np.full(total.shape, np.nan)
    return np.asarray(np.divide(total, count, out=undefined, where=count > 0))


def resample_iou(counts: Counts, units: Units) -> Floats:
    """Draw units with replacement, as many as there are, R times.

    Two models' counts of the same pictures are drawn alike, so their draws are pairs.

    Args:
        counts: (N, 3, L).
        units: Which pictures are drawn together.

    Returns:
        IoU (R, L) of each draw.
    """
    _, _, labels = counts.shape
    summed = np.zeros((units.count, 3 * labels), np.float64)
    np.add.at(summed, units.numbers, counts.reshape(len(counts), -1))
    generator = np.random.default_rng(_SEED)
    chances = np.full(units.count, 1 / units.count)
    drawn = []
    for _ in range(RESAMPLES // _CHUNK):
        times = generator.multinomial(units.count, chances, size=_CHUNK)
        drawn.append(iou_of((times @ summed).reshape(_CHUNK, 3, labels)))
    return np.concatenate(drawn)


def interval_of(draws: Floats, units: Units) -> Interval | None:
    """Return the middle `LEVEL` of draws (R,); `None` for fewer than two units or without draws."""
    known = draws[~np.isnan(draws)]
    if units.count < 2 or not known.size:
        return None
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(known, (tail, 100 - tail))
    return Interval(float(low), float(high), LEVEL, units.over, units.count, RESAMPLES)
