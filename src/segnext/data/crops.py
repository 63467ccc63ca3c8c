"""Which part of a picture a training sample shows, and how: scale, crop, flips, quarter turns.

A crop is a window of whole pixels of the source that is resized once to the size wanted, so only
what is seen is ever computed; image and mask share the window to the pixel. The window's sides
are rounded, so the scale differs from the one drawn by at most half a pixel over its length.

Resizing is half-pixel centred: output pixel x shows the window at (x + 0.5) * window / size - 0.5.

Shapes: H and W height and width of the source, C channels.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segnext.classes import Mask, count_ids

MAX_CLASS_SHARE = 0.75

Size = tuple[int, int]


@dataclass(frozen=True)
class Turning:
    """Mirroring and turning of a crop, in this order.

    Attributes:
        flipped: Mirror it left to right.
        flipped_vertically: Mirror it top to bottom.
        turns: Then turn it by 90 degrees to the left so many times, as `np.rot90` does.
    """

    flipped: bool = False
    flipped_vertically: bool = False
    turns: int = 0

    def apply(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Turn an image (h, w, C) or a mask (h, w); a contiguous array comes back."""
        shape = pixels.shape
        if self.flipped or self.flipped_vertically:
            # Several times as fast as copying a reversed view; both axes at once are code -1.
            code = -1 if self.flipped and self.flipped_vertically else int(self.flipped)
            pixels = cv2.flip(pixels, code).reshape(shape)
        return np.ascontiguousarray(np.rot90(pixels, self.turns))


@dataclass(frozen=True)
class Window:
    """A part of a picture and the size it is shown at, in pixels.

    Attributes:
        top: First row of the source.
        left: First column of the source.
        source: Height and width in the source.
        size: Height and width that it is resized to.
    """

    top: int
    left: int
    source: Size
    size: Size

    def show(self, pixels: npt.NDArray[Any], mode: int) -> npt.NDArray[Any]:
        """Cut the window out of an image (H, W, C) or a mask (H, W) and resize it.

        Args:
            pixels: 8 or 16 bit.
            mode: `cv2.INTER_LINEAR`, or `cv2.INTER_NEAREST_EXACT` for ids.
        """
        bottom, right = self.top + self.source[0], self.left + self.source[1]
        cut = pixels[self.top : bottom, self.left : right]
        if self.source == self.size:
            return cut
        # OpenCV drops the axis of a single channel.
        shape = (*self.size, *pixels.shape[2:])
        resized: npt.NDArray[Any] = cv2.resize(cut, self.size[::-1], interpolation=mode)
        return resized.reshape(shape)


def draw_window(
    picture: Size,
    scaled: Size,
    crop: Size,
    pixel: tuple[int, int] | None,
    rng: np.random.Generator,
) -> Window:
    """Draw where a crop lies.

    Args:
        picture: Height and width of the source.
        scaled: Height and width that the whole source would be resized to.
        crop: Height and width wanted; where the resized source is smaller, all of it is shown.
        pixel: Row and column of the source that the crop must show; `None` leaves it free.
        rng: Source of the two random numbers.
    """
    sides = [
        _draw_side(*side, rng)
        for side in zip(picture, scaled, crop, pixel or (None, None), strict=True)
    ]
    (top, height, rows), (left, width, columns) = sides
    return Window(top, left, (height, width), (rows, columns))


def _draw_side(
    source: int, scaled: int, crop: int, pixel: int | None, rng: np.random.Generator
) -> tuple[int, int, int]:
    """Return first pixel and length in the source, and length shown, along one side."""
    shown = min(scaled, crop)
    length = min(source, max(1, round(shown * source / scaled)))
    first, last = 0, source - length
    if pixel is not None:
        first, last = max(0, pixel - length + 1), min(pixel, last)
    return int(rng.integers(first, last + 1)), length, shown


def draw_rare_pixel(
    mask: Mask, rare_classes: tuple[int, ...], rng: np.random.Generator
) -> tuple[int, int] | None:
    """Draw one of the rare classes in a mask (H, W), then one of its pixels, both uniformly.

    Returns:
        Row and column, or `None` where the mask shows no rare class.
    """
    found = [ours for label in rare_classes if (ours := mask == label).any()]
    if not found:
        return None
    ours = found[int(rng.integers(len(found)))]
    # Counting by rows finds the pixel without a list of all of them, which may be millions.
    until = np.cumsum(np.count_nonzero(ours, axis=1))
    number = int(rng.integers(until[-1]))
    row = int(np.searchsorted(until, number, side="right"))
    before = int(until[row - 1]) if row else 0
    return row, int(np.flatnonzero(ours[row])[number - before])


def dominated_by_one_class(mask: npt.NDArray[Any], ignore_index: int) -> bool:
    """Tell whether one class holds at least 75 % of the valid pixels, or there is but one."""
    counts = count_ids(mask)
    counts[ignore_index] = 0
    return bool(np.count_nonzero(counts) <= 1 or counts.max() >= MAX_CLASS_SHARE * counts.sum())
