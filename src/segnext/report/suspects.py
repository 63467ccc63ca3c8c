"""Where the truth may be wrong: regions in which a confident model disagrees.

The larger such a region, the less it is a matter of where exactly a border runs. It may as well
be the model that is wrong: these are the pictures to look at first, no more.
"""

import heapq
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

CONFIDENT = 0.95
# Pixels taken off the edge of regions, where borders are a matter of taste.
_EDGE = 2


@dataclass(frozen=True)
class Suspect:
    """The largest confident disagreement of a picture.

    Attributes:
        picture: Its number.
        box: Left, top, width, height of the region [px].
        pixels: Of the region, without its edge.
        truth: Train id that most of it has.
        prediction: Train id that the model gives most of it.
        confidence: Mean probability of the prediction there.
    """

    picture: int
    box: tuple[int, int, int, int]
    pixels: int
    truth: int
    prediction: int
    confidence: float


class Suspects:
    """Keeps those with the largest regions, one per picture.

    Args:
        keep: How many.
        ignore_index: Truth value of pixels that do not count.
    """

    def __init__(self, keep: int, ignore_index: int) -> None:
        self.keep = keep
        self.ignore_index = ignore_index
        self._heap: list[tuple[int, int, Suspect]] = []

    def update(
        self,
        picture: int,
        truth: npt.NDArray[Any],
        prediction: npt.NDArray[Any],
        confidence: npt.NDArray[np.float32],
    ) -> None:
        """Look for a picture's largest disagreement; all arrays are (H, W)."""
        wrong = (truth != prediction) & (truth != self.ignore_index) & (confidence >= CONFIDENT)
        side = 2 * _EDGE + 1
        eroded = cv2.erode(wrong.view(np.uint8), np.ones((side, side), np.uint8))
        _, ids, stats, _ = cv2.connectedComponentsWithStats(eroded, connectivity=4)
        areas = np.asarray(stats)[1:, cv2.CC_STAT_AREA]
        if not areas.size:
            return
        number = int(areas.argmax()) + 1
        region = np.asarray(ids) == number
        left, top, width, height, pixels = (int(value) for value in np.asarray(stats)[number])
        suspect = Suspect(
            picture=picture,
            box=(left, top, width, height),
            pixels=pixels,
            truth=int(np.bincount(truth[region]).argmax()),
            prediction=int(np.bincount(prediction[region]).argmax()),
            confidence=float(confidence[region].mean()),
        )
        # Ties go to earlier pictures.
        heapq.heappush(self._heap, (pixels, -picture, suspect))
        if len(self._heap) > self.keep:
            heapq.heappop(self._heap)

    @property
    def found(self) -> list[Suspect]:
        """The largest first."""
        return [suspect for *_, suspect in sorted(self._heap, reverse=True)]
