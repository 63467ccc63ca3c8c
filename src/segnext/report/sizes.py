"""Recall by the size of things: connected components of the truth, by COCO's limits.

Shapes: L labels, H and W height and width.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

# Areas in pixels at which medium and large begin.
LIMITS = (32**2, 96**2)
SIZES = ("small", "medium", "large")
# Share of a component that is right, from which it counts as found.
FOUND = 0.5


class SizeCounts:
    """Components of the truth and what became of them, summed over pictures.

    Args:
        num_labels: L.

    Attributes:
        objects: (L, 3), components.
        found: (L, 3), those of which at least half is right.
        pixels: (L, 3), pixels of components.
        right: (L, 3), right ones of these.
    """

    def __init__(self, num_labels: int) -> None:
        shape = (num_labels, len(SIZES))
        self.objects = np.zeros(shape, np.int64)
        self.found = np.zeros(shape, np.int64)
        self.pixels = np.zeros(shape, np.int64)
        self.right = np.zeros(shape, np.int64)

    def update(self, truth: npt.NDArray[Any], prediction: npt.NDArray[Any]) -> None:
        """Add a mask and its prediction, both (H, W) train ids."""
        for label in np.unique(truth):
            if label >= len(self.objects):
                continue  # ignored
            areas, right = _measure(truth == label, prediction == label)
            size = np.searchsorted(LIMITS, areas, side="right")
            for counts, values in (
                (self.objects, None),
                (self.found, right >= FOUND * areas),
                (self.pixels, areas),
                (self.right, right),
            ):
                summed = np.bincount(size, values, minlength=len(SIZES))
                counts[label] += summed.astype(np.int64)


def _measure(
    region: npt.NDArray[np.bool_], predicted: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the area of each component of a region, and how much of it is predicted."""
    left, top, width, height = cv2.boundingRect(region.view(np.uint8))
    inside = slice(top, top + height), slice(left, left + width)
    cut = np.ascontiguousarray(region[inside]).view(np.uint8)
    count, ids = cv2.connectedComponents(cut, connectivity=8)
    areas = np.bincount(ids.ravel(), minlength=count)[1:]
    right = np.bincount(ids[predicted[inside]], minlength=count)[1:]
    return areas, right
