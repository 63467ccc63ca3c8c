"""Confusion matrix to IoU and the rest.

A score is computed from one confusion matrix over the whole split: never a mean over images.
`segnext.metric_rules` has the rules of published evaluators.

Shapes: L labels, H and W height and width.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from segnext.errors import UsageError

# What 0 / 0 is: undefined and left out of means, or a number that counts in them.
ZeroDivision = Literal["nan", 0, 1]


class ConfusionMatrix:
    """Counts of (truth, prediction) pairs over any number of masks.

    Args:
        num_labels: L, the number of train ids.
        ignore_index: Truth value of pixels that do not count.
        unlabelled: Predictions may hold `ignore_index` too, as files of other programs do. Where
            the truth counts, such a pixel is wrong and is counted in one more column.

    Attributes:
        counts: (L, L), or with `unlabelled` (L, L + 1), int64; rows are the truth, columns the
            prediction.
    """

    def __init__(
        self, num_labels: int, *, ignore_index: int = 255, unlabelled: bool = False
    ) -> None:
        self.num_labels = num_labels
        self.ignore_index = ignore_index
        self.counts = np.zeros((num_labels, num_labels + unlabelled), dtype=np.int64)

    def update(self, truth: npt.NDArray[Any], prediction: npt.NDArray[Any]) -> None:
        """Add one mask and its prediction, both (H, W) train ids.

        Raises:
            UsageError: The shapes differ, or a counted pixel holds an id outside 0..L-1.
        """
        if truth.shape != prediction.shape:
            msg = f"truth is {truth.shape} but prediction {prediction.shape}"
            raise UsageError(msg)
        counted = truth != self.ignore_index
        rows, columns = truth[counted].astype(np.intp), prediction[counted].astype(np.intp)
        width = self.counts.shape[1]
        unlabelled = (columns == self.ignore_index) & (width > self.num_labels)
        for name, ids in (("truth", rows), ("prediction", columns[~unlabelled])):
            if ids.size and (ids.max() >= self.num_labels or ids.min() < 0):
                msg = f"{name} holds label {ids.max()}, but labels run to {self.num_labels - 1}"
                raise UsageError(msg)
        columns[unlabelled] = self.num_labels
        pairs = np.bincount(rows * width + columns, minlength=self.counts.size)
        self.counts += pairs.reshape(self.counts.shape)


@dataclass(frozen=True)
class Metrics:
    """What a confusion matrix says; every value in 0-1, `nan` where it is undefined.

    A label that neither truth nor prediction holds is left out of every mean (unless
    `zero_division` is a number) and listed in `absent`. A label that is only predicted has IoU 0
    and counts; it has no accuracy.

    Attributes:
        miou: Mean IoU over present labels (macro).
        iou_per_class: TP / (TP + FP + FN) for each label.
        accuracy_per_class: TP / (TP + FN) for each label; `nan` without truth.
        dice_per_class: 2 TP / (2 TP + FP + FN) for each label.
        pixel_accuracy: aAcc, share of counted pixels that are right.
        mean_accuracy: mAcc, mean over labels that occur in the truth.
        mean_dice: mDice, mean over present labels.
        frequency_weighted_iou: IoU weighted by each label's share of the truth.
        absent: Ids of labels found neither in truth nor in prediction.
        pixels: Number of counted pixels.
    """

    miou: float
    iou_per_class: npt.NDArray[np.float64]
    accuracy_per_class: npt.NDArray[np.float64]
    dice_per_class: npt.NDArray[np.float64]
    pixel_accuracy: float
    mean_accuracy: float
    mean_dice: float
    frequency_weighted_iou: float
    absent: tuple[int, ...]
    pixels: int


def compute_metrics(
    counts: npt.NDArray[np.int64], *, zero_division: ZeroDivision = "nan"
) -> Metrics:
    """Compute every metric from a confusion matrix.

    Args:
        counts: (L, L), rows truth, columns prediction; or (L, L + 1), whose last column counts
            pixels that were predicted as none of the labels.
        zero_division: IoU and Dice of a label that neither truth nor prediction holds, and
            accuracy of one without truth. `nan` leaves it out of the means; 0 and 1 count in them.

    Raises:
        UsageError: `zero_division` is none of these, or the matrix has another shape.
    """
    if zero_division not in ("nan", 0, 1):
        msg = f"zero_division is 'nan', 0 or 1, got {zero_division!r}"
        raise UsageError(msg)
    labels = len(counts)
    if counts.shape not in ((labels, labels), (labels, labels + 1)):
        msg = f"a confusion matrix is (L, L) or (L, L + 1), got {counts.shape}"
        raise UsageError(msg)
    undefined = float(zero_division)
    right = np.diag(counts).astype(np.float64)
    truth = counts.sum(1).astype(np.float64)
    predicted = counts.sum(0)[:labels].astype(np.float64)
    total = truth.sum()
    iou = _divide(right, truth + predicted - right, undefined)
    accuracy = _divide(right, truth, undefined)
    dice = _divide(2 * right, truth + predicted, undefined)
    present = truth > 0
    return Metrics(
        miou=_mean(iou),
        iou_per_class=iou,
        accuracy_per_class=accuracy,
        dice_per_class=dice,
        pixel_accuracy=float(right.sum() / total) if total else float("nan"),
        mean_accuracy=_mean(accuracy),
        mean_dice=_mean(dice),
        frequency_weighted_iou=(
            float((truth[present] * iou[present]).sum() / total) if total else float("nan")
        ),
        absent=tuple(int(index) for index in np.flatnonzero((truth + predicted) == 0)),
        pixels=int(total),
    )


def _divide(
    numerator: npt.NDArray[np.float64], denominator: npt.NDArray[np.float64], undefined: float
) -> npt.NDArray[np.float64]:
    quotient = np.full_like(numerator, undefined)
    return np.divide(numerator, denominator, out=quotient, where=denominator > 0)


def _mean(values: npt.NDArray[np.float64]) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")
