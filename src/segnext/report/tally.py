"""What is kept of a model's masks, picture by picture, in memory that full masks are no part of.

Shapes: L labels.
"""

import numpy as np
import numpy.typing as npt

from segnext.classes import Classes, Mask
from segnext.metrics import ConfusionMatrix
from segnext.report.bootstrap import Counts
from segnext.report.boundaries import BoundaryCounts
from segnext.report.confidences import ConfidenceCounts
from segnext.report.confusions import CellLeaders
from segnext.report.observing import Seen
from segnext.report.sizes import SizeCounts
from segnext.report.strips import pack_mask
from segnext.report.suspects import Suspects

SUSPECTS = 12
BEHIND = 3


class ScoreTally:
    """What scores and their intervals need.

    Args:
        classes: Of the masks.

    Attributes:
        confusion: (L, L) over all pictures.
        packed: Each prediction at the size of a strip.
    """

    def __init__(self, classes: Classes) -> None:
        self.classes = classes
        self.confusion = np.zeros((classes.num_labels, classes.num_labels), np.int64)
        self.packed: list[bytes] = []
        self._counts: list[npt.NDArray[np.int64]] = []

    def update(self, truth: Mask, mask: Mask) -> npt.NDArray[np.int64]:
        """Add the next picture; returns its confusion matrix (L, L)."""
        matrix = ConfusionMatrix(self.classes.num_labels, ignore_index=self.classes.ignore_index)
        matrix.update(truth, mask)
        counts = matrix.counts
        self.confusion += counts
        self._counts.append(np.stack([counts.diagonal(), counts.sum(1), counts.sum(0)]))
        self.packed.append(pack_mask(mask))
        return counts

    @property
    def counts(self) -> Counts:
        """Right, true and predicted pixels of each picture, (N, 3, L)."""
        return np.stack(self._counts)


class Tally:
    """Everything a report needs.

    Args:
        classes: Of the masks.

    Attributes:
        scores: Confusion matrices and small masks.
        confidences: Mean probability of each picture; `None` where there are no probabilities.
        seconds: Of each picture.
    """

    def __init__(self, classes: Classes) -> None:
        labels, ignored = classes.num_labels, classes.ignore_index
        self.scores = ScoreTally(classes)
        self.boundaries = BoundaryCounts(labels, ignored)
        self.sizes = SizeCounts(labels)
        self.calibration = ConfidenceCounts()
        self.leaders = CellLeaders(labels, BEHIND)
        self.suspects = Suspects(SUSPECTS, ignored)
        self.confidences: list[float | None] = []
        self.seconds: list[float] = []

    def update(self, picture: int, truth: Mask, seen: Seen) -> None:
        """Add the next picture."""
        mask, confidence = seen.mask, seen.confidence
        counts = self.scores.update(truth, mask)
        self.leaders.update(picture, counts)
        self.boundaries.update(truth, mask)
        self.sizes.update(truth, mask)
        counted = truth != self.scores.classes.ignore_index
        mean = None
        if confidence is not None and counted.any():
            self.calibration.update(confidence[counted], (truth == mask)[counted])
            self.suspects.update(picture, truth, mask, confidence)
            mean = float(confidence[counted].mean())
        self.confidences.append(mean)
        self.seconds.append(seen.seconds)
