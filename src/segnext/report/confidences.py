"""Whether probabilities can be believed: reliability, expected calibration error, coverage.

Probabilities are those of the winning label of every counted pixel (Guo et al., arXiv 1706.04599).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BINS = 15
# Histogram from which bins and coverage are read, in place of all pixels' values.
_FINE = 100 * BINS
_CURVE = 100


@dataclass(frozen=True)
class ReliabilityBin:
    """Pixels whose probability lies between two bounds.

    Attributes:
        low: Lower bound.
        high: Upper bound.
        pixels: How many.
        confidence: Their mean probability; `None` without pixels.
        accuracy: Share of them that is right; `None` without pixels.
    """

    low: float
    high: float
    pixels: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class CoveragePoint:
    """What is left if pixels below a probability are left to somebody else.

    Attributes:
        confidence: Least probability that is kept.
        coverage: Share of the pixels that is kept.
        accuracy: Share of those that is right.
    """

    confidence: float
    coverage: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """How probabilities and accuracy agree.

    Attributes:
        ece: Expected calibration error over `BINS` bins of equal width, 0-1.
        mean_confidence: Over all pixels.
        accuracy: Share of all pixels that is right.
        reliability: By bin, the lowest first.
        coverage: From everything to the surest.
    """

    ece: float
    mean_confidence: float
    accuracy: float
    reliability: tuple[ReliabilityBin, ...]
    coverage: tuple[CoveragePoint, ...]


class ConfidenceCounts:
    """Probabilities and whether they were right, summed over pictures."""

    def __init__(self) -> None:
        self.pixels = np.zeros(_FINE, np.int64)
        self.right = np.zeros(_FINE, np.int64)
        self.total = np.zeros(_FINE, np.float64)

    def update(self, confidence: npt.NDArray[np.float32], right: npt.NDArray[np.bool_]) -> None:
        """Add the probabilities (n,) of some pixels, and whether their labels are right (n,)."""
        place = np.minimum((confidence * _FINE).astype(np.intp), _FINE - 1)
        self.pixels += np.bincount(place, minlength=_FINE)
        self.right += np.bincount(place[right], minlength=_FINE)
        self.total += np.bincount(place, confidence, minlength=_FINE)

    def summarize(self) -> Calibration | None:
        """Return the figures, `None` where nothing was counted."""
        pixels = int(self.pixels.sum())
        if not pixels:
            return None
        bins = [
            _describe(place, *(part[place * 100 : (place + 1) * 100].sum() for part in self._all))
            for place in range(BINS)
        ]
        gaps = [
            one.pixels * abs(one.accuracy - one.confidence)
            for one in bins
            if one.accuracy is not None and one.confidence is not None
        ]
        return Calibration(
            ece=float(sum(gaps) / pixels),
            mean_confidence=float(self.total.sum() / pixels),
            accuracy=float(self.right.sum() / pixels),
            reliability=tuple(bins),
            coverage=self._follow_coverage(pixels),
        )

    @property
    def _all(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        return self.pixels, self.right, self.total

    def _follow_coverage(self, pixels: int) -> tuple[CoveragePoint, ...]:
        kept = np.cumsum(self.pixels[::-1])[::-1]
        right = np.cumsum(self.right[::-1])[::-1]
        # The lowest bound for each hundredth of the pixels.
        wanted = np.arange(_CURVE, 0, -1) / _CURVE * pixels
        places = np.unique([int(np.flatnonzero(kept >= least)[-1]) for least in wanted])
        return tuple(
            CoveragePoint(
                float(place / _FINE), float(kept[place] / pixels), float(right[place] / kept[place])
            )
            for place in places
        )


def _describe(place: int, pixels: int, right: int, total: float) -> ReliabilityBin:
    return ReliabilityBin(
        low=place / BINS,
        high=(place + 1) / BINS,
        pixels=int(pixels),
        confidence=float(total / pixels) if pixels else None,
        accuracy=float(right / pixels) if pixels else None,
    )
