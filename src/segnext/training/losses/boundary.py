"""Boundary loss: probabilities weighed by their distance from where they belong."""

import math

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segnext.training.losses.loss import Loss, pair_single, resize


class Boundary(Loss):
    """The softmax times each class's signed distance, summed over classes, averaged over pixels.

    Kervadec et al. (arXiv 1812.07032, equation 5). The distance of a class is that to its nearest
    pixel, positive outside of it, and inside minus that to the nearest counted pixel of another
    class. Its unit is the picture's diagonal, so that it lies in (-1, 1) for crops of any size.
    Borders with ignored pixels are no borders: what lies behind them is unknown. A class that a
    picture lacks, or that fills it, has no boundary there and distance 0.

    Falls below 0 for good predictions, and tells nothing about absent classes: use it beside a
    loss of regions with a small weight, as the paper does (0.01 to begin with).

    Holds probabilities at full resolution; the distances are computed on the CPU.
    """

    def normalizer(self, target: Tensor) -> Tensor:
        """Count the pixels that are not ignored."""
        return self._count(target)

    def totals(self, logits: Tensor, target: Tensor) -> Tensor:
        """Sum softmax times distance over pixels and classes."""
        # The sum of nothing keeps the graph where no class has a boundary.
        total = logits[:0].sum()
        scores = pair_single(resize(logits, target))
        for picture, truth in zip(scores, target.cpu().numpy(), strict=True):
            labels, distances = _signed_distances(truth, self.ignore_index)
            if labels:
                distance = torch.from_numpy(distances).to(picture)
                total = total + (picture.softmax(0)[labels] * distance).sum()
        return total[None]


def _signed_distances(
    truth: NDArray[np.int64], ignore_index: int
) -> tuple[list[int], NDArray[np.float32]]:
    """Return the classes with a boundary in a mask (H, W), and their distances (k, H, W)."""
    counted = truth != ignore_index
    labels = np.unique(truth[counted]).tolist()
    if len(labels) < 2:
        return [], np.empty((0, *truth.shape), np.float32)
    maps = []
    for label in labels:
        member = truth == label
        outside = _distance_to(member)
        inside = _distance_to(counted & ~member)
        maps.append(np.where(member, -inside, outside) * counted)
    return labels, (np.stack(maps) / math.hypot(*truth.shape)).astype(np.float32)


def _distance_to(pixels: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the Euclidean distance of each pixel to the nearest of some, in pixels."""
    nearest = cv2.distanceTransform((~pixels).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # OpenCV's last bit changes with the address of its buffers. Squares are whole numbers, and
    # rounding to them makes runs repeatable.
    distances: NDArray[np.float64] = np.sqrt(np.rint(np.square(nearest, dtype=np.float64)))
    return distances
