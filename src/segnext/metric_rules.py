"""Mean IoU by the rules of published evaluators, from a confusion matrix.

The rules agree where every class occurs in the truth. They differ over a class that neither truth
nor prediction holds, and over one that is only predicted; `docs/protocols.md` has the table.

Matrices are (L, L), rows truth, columns prediction, or (L, L + 1), whose last column counts pixels
that were predicted as none of the labels; pixels without truth are not in them.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from segnext.metrics import compute_metrics

Counts = npt.NDArray[np.int64]


def cityscapes_miou(counts: Counts) -> float:
    """Return the "averageScoreClasses" of Cityscapes' scripts, 0-1.

    IoU = TP / (TP + FP + FN) with false positives from counted pixels only; a class whose
    denominator is 0 has none and is left out of the mean, one that is only predicted counts as 0.
    The same as `compute_metrics(counts).miou`.
    """
    iou = _ratios(counts, floor=0.0)
    defined = ~np.isnan(iou)
    return float(iou[defined].mean()) if defined.any() else float("nan")


def ade20k_miou(counts: Counts) -> float:
    """Return the mean IoU of the scene parsing challenge (ADE20K), 0-1.

    The mean runs over all classes; the smallest number added to each union makes a class that
    nobody holds count as 0. The same as `compute_metrics(counts, zero_division=0).miou`.
    """
    return float(_ratios(counts, floor=float(np.finfo(np.float64).eps)).mean())


def ade20k_score(counts: Counts) -> float:
    """Return the final score of the scene parsing challenge: (pixel accuracy + mean IoU) / 2."""
    return (compute_metrics(counts).pixel_accuracy + ade20k_miou(counts)) / 2


def coco_stuff_miou(counts: Counts) -> float:
    """Return the mean IoU of the COCO-Stuff API, 0-1.

    Only classes that occur in the truth are averaged: one that is only predicted costs nothing
    beyond the pixels it takes from others. With P such classes beside T classes with truth, ours
    is T / (T + P) of it.
    """
    iou = _ratios(counts, floor=0.0)
    with_truth = counts.sum(1) > 0
    return float(iou[with_truth].mean()) if with_truth.any() else float("nan")


RULES: dict[str, Callable[[Counts], float]] = {
    "cityscapes": cityscapes_miou,
    "ade20k": ade20k_miou,
    "coco_stuff": coco_stuff_miou,
}


def _ratios(counts: Counts, *, floor: float) -> npt.NDArray[np.float64]:
    """Return intersection over union plus floor for each label, `nan` where that is 0 / 0."""
    intersection = np.diag(counts).astype(np.float64)
    union = counts.sum(1) + counts.sum(0)[: len(counts)] - intersection + floor
    ratios = np.full(len(counts), np.nan)
    np.divide(intersection, union, out=ratios, where=union > 0)
    return ratios
