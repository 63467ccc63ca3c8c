"""How large and how wide the things of a class are, seen in a mask."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Components:
    """The connected components of one class in one mask; neighbours touch by side or corner.

    Attributes:
        areas: Pixels of each component.
        widths: Pixels, at each point of the components' middle lines; within half a pixel where
            the sides are parallel.
    """

    areas: npt.NDArray[np.int64]
    widths: npt.NDArray[np.float64]


def measure_components(region: npt.NDArray[np.bool_]) -> Components:
    """Measure every component of a class.

    The width is that of the largest disc around a point of the middle line, which are the points
    farther from the edge than their neighbours: the medial axis (Blum 1967) without its branches
    into corners. Points and not components are measured, so that a sign on top of a pole does not
    hide that the pole is thin. The edge of the picture counts as an edge.

    Args:
        region: (H, W), true where the class is.
    """
    pixels = region.view(np.uint8)
    left, top, width, height = cv2.boundingRect(pixels)
    cut = cv2.copyMakeBorder(
        pixels[top : top + height, left : left + width], 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0
    )
    _, _, measured, _ = cv2.connectedComponentsWithStats(cut, connectivity=8)
    areas = np.asarray(measured)[1:, cv2.CC_STAT_AREA].astype(np.int64)
    distance: Any = cv2.distanceTransform(cut, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    highest = cv2.dilate(distance, np.ones((3, 3), np.uint8))
    ridge = distance[(distance >= highest) & (cut > 0)].astype(np.float64)
    # Distances go from centre to centre: a strip of odd width w has (w + 1) / 2 in its middle,
    # one of even width w / 2 on both sides of it.
    return Components(areas, 2 * ridge - 0.5)
