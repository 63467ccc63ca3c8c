"""Photometric distortion, composed into look-up tables.

The operations and their order are those of SSD's training (arXiv:1512.02325), which the paper's
configurations use.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segnext.data.images import Image

Limits = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class Distortion:
    """What is done to the values of one picture: tables before, colours, tables after.

    Attributes:
        before: Value by value, (256 or 65536, 1 or C) of the picture's type; `None` changes none.
        saturation: Factor, for 8-bit RGB.
        turn: Hue in steps of 2 degrees, for 8-bit RGB.
        after: As `before`, after the change of colours; only for 8-bit RGB.
    """

    before: Image | None
    saturation: float
    turn: int
    after: Image | None

    def apply(self, image: Image) -> Image:
        """Return the distorted picture (H, W, C), of the same type."""
        image = self.apply_colors(image)
        return image if self.after is None else _look_up(image, self.after)

    def apply_colors(self, image: Image) -> Image:
        """Do everything but `after`, which can be joined to another table."""
        if self.before is not None:
            image = _look_up(image, self.before)
        return _shift_color(image, self.saturation, self.turn)


def draw_distortion(
    image: Image, rng: np.random.Generator, *, limits: Limits | None = None, hue: bool = True
) -> Distortion:
    """Draw brightness, contrast, saturation and hue, each changed with probability one half.

    Brightness moves by up to 32/255 of the range of values, contrast and saturation by factors of
    0.5 to 1.5, hue by up to 18 of 180 steps; contrast comes before or after the colour changes.
    Saturation and hue apply to 8-bit RGB only.

    Args:
        image: (H, W, C), 8 or 16 bit.
        rng: Source of every random number; as many are drawn whatever the options.
        limits: Least and greatest value of each channel, in 0-1 units, where the data fill but a
            part of the full scale: brightness is then measured by their distance and contrast
            from the least value. By default 0 and 1.
        hue: Change the hue too.
    """
    top = int(np.iinfo(image.dtype).max)
    drawn = rng.random(5) < 0.5
    shift = rng.uniform(-32, 32) / 255 if drawn[0] else 0.0
    contrast = rng.uniform(0.5, 1.5) if drawn[1] else 1.0
    saturation = rng.uniform(0.5, 1.5) if drawn[2] else 1.0
    turn = int(rng.integers(-18, 19)) if drawn[3] else 0
    colorful = image.dtype == np.uint8 and image.shape[2] == 3
    contrast_first = bool(drawn[4]) or not colorful
    saturation, turn = (saturation, turn if hue else 0) if colorful else (1.0, 0)
    # One column of the tables serves all channels, unless each has its own limits.
    low, high = np.array(limits or ((0.0,), (1.0,))) * top
    steps = np.arange(top + 1, dtype=np.float64)[:, None] - low
    brighter = low + (steps + shift * (high - low)) * (contrast if contrast_first else 1.0)
    before = _build_table(brighter, image) if shift or (contrast_first and drawn[1]) else None
    after = None if contrast_first or not drawn[1] else _build_table(low + steps * contrast, image)
    if colorful and saturation == 1.0 and turn == 0 and before is not None:
        # Nothing comes between the tables, so one does the work of both.
        return Distortion(None, saturation, turn, _join(before, after))
    return Distortion(before, saturation, turn, after)


def _build_table(values: npt.NDArray[np.float64], image: Image) -> Image:
    table: Image = np.clip(np.rint(values), 0, len(values) - 1).astype(image.dtype)
    return table


def _join(first: Image, second: Image | None) -> Image:
    """Return the table that does what `first` and then `second` do."""
    if second is None:
        return first
    columns = range(first.shape[1])
    return np.stack([second[first[:, column], column] for column in columns], axis=1)


def _look_up(image: Image, table: Image) -> Image:
    """Replace each pixel value by its row in a table, (256 or 65536, 1 or C)."""
    looked_up: Any
    if image.dtype == np.uint8:
        looked_up = cv2.LUT(image, table[None])
    elif table.shape[1] == 1:
        looked_up = table[:, 0][image]
    else:
        looked_up = table[image, np.arange(table.shape[1])]
    same_shape: Image = looked_up.reshape(image.shape)
    return same_shape


def _shift_color(image: Image, saturation: float, hue: int) -> Image:
    if saturation == 1.0 and hue == 0:
        return image
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    steps = np.arange(256)
    table = np.stack(
        [(steps + hue) % 180, np.clip(np.rint(steps * saturation), 0, 255), steps], axis=1
    ).astype(np.uint8)
    shifted: Image = cv2.cvtColor(cv2.LUT(hsv, table[None]), cv2.COLOR_HSV2RGB)
    return shifted
