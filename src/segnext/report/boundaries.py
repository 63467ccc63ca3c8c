"""How well borders are met: Boundary IoU (Cheng et al., arXiv 2103.16562) at several widths.

Of a class, only those pixels count that lie within a width of its border, in truth and in
prediction. Distances are those of squares, as in the authors' code. Unlike there, the edge of the
picture is no border, and neither are the edges of ignored regions: what lies behind is unknown.

Shapes: L labels, H and W height and width, w widths.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

# In pixels, as the widths of a trimap.
WIDTHS = (1, 3, 10)


class BoundaryCounts:
    """Pixels near borders, summed over pictures.

    Args:
        num_labels: L.
        ignore_index: Truth value of pixels that do not count.

    Attributes:
        shared: (w, L), right pixels near the border of truth and of prediction.
        either: (w, L), pixels of the class near the border of either.
    """

    def __init__(self, num_labels: int, ignore_index: int) -> None:
        self.ignore_index = ignore_index
        self.shared = np.zeros((len(WIDTHS), num_labels), np.int64)
        self.either = np.zeros((len(WIDTHS), num_labels), np.int64)

    def update(self, truth: npt.NDArray[Any], prediction: npt.NDArray[Any]) -> None:
        """Add a mask and its prediction, both (H, W) train ids."""
        counted = truth != self.ignore_index
        # So that both have the same unknown borders.
        prediction = np.where(counted, prediction, self.ignore_index).astype(truth.dtype)
        labels = self.shared.shape[1]
        for place, width in enumerate(WIDTHS):
            true_band = counted & near_border(truth, width, self.ignore_index)
            found_band = counted & near_border(prediction, width, self.ignore_index)
            both = true_band & found_band & (truth == prediction)
            shared = np.bincount(truth[both], minlength=labels)
            self.shared[place] += shared
            self.either[place] += (
                np.bincount(truth[true_band], minlength=labels)
                + np.bincount(prediction[found_band], minlength=labels)
                - shared
            )

    @property
    def iou(self) -> npt.NDArray[np.float64]:
        """Boundary IoU (w, L), `nan` for labels without a border."""
        undefined = np.full(self.shared.shape, np.nan)
        found = np.divide(self.shared, self.either, out=undefined, where=self.either > 0)
        return np.asarray(found)


def near_border(mask: npt.NDArray[Any], width: int, ignore_index: int) -> npt.NDArray[np.bool_]:
    """Mark the pixels (H, W) that have another label within `width` pixels.

    Args:
        mask: (H, W), uint8 or uint16 train ids.
        width: In rows and in columns.
        ignore_index: Value that is no label.
    """
    kernel = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    ignored = mask == ignore_index
    # One pass for all labels: labels differ nearby exactly where the least is not the greatest.
    # Outside of the picture, OpenCV takes what changes neither.
    greatest = cv2.dilate(np.where(ignored, 0, mask).astype(mask.dtype), kernel)
    least = cv2.erode(np.where(ignored, np.iinfo(mask.dtype).max, mask).astype(mask.dtype), kernel)
    return np.asarray(greatest > least)
