"""RandAugment: a few random operations of one strength (Cubuk et al., arXiv 1909.13719).

The fourteen operations are those of AutoAugment (arXiv 1805.09501, table 6), in the increasing form
of later recipes: strength 0 leaves a picture as it is, and more strength always changes more. Half
of the drawn operations are skipped, as in the ImageNet recipe that the paper follows.

Every picture here is (H, W, 3) uint8, RGB.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segnext.errors import UsageError

Picture = npt.NDArray[np.uint8]
Fill = tuple[int, int, int]

TOP = 10.0  # the greatest magnitude
SKIPPED = 0.5

# Each at full strength; table 6 of AutoAugment, whose pictures are 331 pixels wide.
MAX_TURN = 30.0  # degrees
MAX_SHEAR = 0.3
MAX_SHIFT = 150 / 331  # of the side
MAX_BLEND = 0.9
LEAST_BITS = 4

_SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13


def autocontrast(image: Picture) -> Picture:
    """Stretch each channel so that its values reach from 0 to 255."""
    low, high = image.min(axis=(0, 1)).astype(float), image.max(axis=(0, 1)).astype(float)
    spread = np.where(high > low, high - low, 255.0)
    low = np.where(high > low, low, 0.0)
    return _look_up(image, (np.arange(256)[:, None] - low) * 255.0 / spread)


def equalize(image: Picture) -> Picture:
    """Spread each channel's values so that all become about as frequent."""
    channels = [cv2.equalizeHist(np.ascontiguousarray(image[..., c])) for c in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8, copy=False)


def invert(image: Picture) -> Picture:
    """Turn light into dark."""
    return np.asarray(255 - image, np.uint8)


def posterize(image: Picture, level: float) -> Picture:
    """Keep the upper bits of each value: 8 at level 0, 4 at level 1."""
    dropped = int(level * (8 - LEAST_BITS))
    return np.asarray(image & np.uint8(256 - 2**dropped), np.uint8)


def solarize(image: Picture, level: float) -> Picture:
    """Invert the values from a threshold on: none at level 0, all at level 1."""
    values = np.arange(256)[:, None]
    return _look_up(image, np.where(values >= 256 * (1 - level), 255 - values, values))


def color(image: Picture, factor: float) -> Picture:
    """Blend with grey: 0 is grey, 1 the picture, 2 twice as colourful."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return _blend(np.repeat(grey[..., None], 3, axis=2), image, factor)


def contrast(image: Picture, factor: float) -> Picture:
    """Blend with the mean grey: 0 is flat, 1 the picture, 2 twice the contrast."""
    mean = round(float(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).mean()))
    return _look_up(image, mean + (np.arange(256)[:, None] - float(mean)) * factor)


def brightness(image: Picture, factor: float) -> Picture:
    """Multiply: 0 is black, 1 the picture, 2 twice as bright."""
    return _look_up(image, np.arange(256)[:, None] * factor)


def sharpness(image: Picture, factor: float) -> Picture:
    """Blend with a smoothed picture: 0 is smooth, 1 the picture, 2 sharpened. The rim stays."""
    smooth = image.copy()
    smooth[1:-1, 1:-1] = cv2.filter2D(image, -1, _SMOOTH)[1:-1, 1:-1]
    return _blend(smooth, image, factor)


def rotate(image: Picture, degrees: float, fill: Fill) -> Picture:
    """Turn counter-clockwise around the middle."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    return _warp(image, matrix, fill)


def shear(image: Picture, across: float, down: float, fill: Fill) -> Picture:
    """Move rows by `across` per pixel from the middle row, columns by `down` alike."""
    height, width = image.shape[:2]
    matrix = np.array(
        [[1, across, -across * (height - 1) / 2], [down, 1, -down * (width - 1) / 2]], np.float64
    )
    return _warp(image, matrix, fill)


def translate(image: Picture, across: float, down: float, fill: Fill) -> Picture:
    """Move right and down by shares of width and height."""
    height, width = image.shape[:2]
    matrix = np.array([[1, 0, across * width], [0, 1, down * height]], np.float64)
    return _warp(image, matrix, fill)


def _by_blend(operation: Callable[[Picture, float], Picture]) -> "Operation":
    return lambda image, level, sign, _: operation(image, 1.0 + sign * MAX_BLEND * level)


# Picture, level in 0-1, sign, fill.
Operation = Callable[[Picture, float, float, Fill], Picture]
OPERATIONS: dict[str, Operation] = {
    "autocontrast": lambda image, _level, _sign, _fill: autocontrast(image),
    "equalize": lambda image, _level, _sign, _fill: equalize(image),
    "invert": lambda image, _level, _sign, _fill: invert(image),
    "posterize": lambda image, level, _sign, _fill: posterize(image, level),
    "solarize": lambda image, level, _sign, _fill: solarize(image, level),
    "color": _by_blend(color),
    "contrast": _by_blend(contrast),
    "brightness": _by_blend(brightness),
    "sharpness": _by_blend(sharpness),
    "rotate": lambda image, level, sign, fill: rotate(image, sign * MAX_TURN * level, fill),
    "shear_x": lambda image, level, sign, fill: shear(image, sign * MAX_SHEAR * level, 0.0, fill),
    "shear_y": lambda image, level, sign, fill: shear(image, 0.0, sign * MAX_SHEAR * level, fill),
    "translate_x": lambda image, level, sign, fill: translate(
        image, sign * MAX_SHIFT * level, 0.0, fill
    ),
    "translate_y": lambda image, level, sign, fill: translate(
        image, 0.0, sign * MAX_SHIFT * level, fill
    ),
}


@dataclass(frozen=True)
class RandAugment:
    """Apply some operations, drawn anew for each picture.

    Attributes:
        operations: How many are drawn; the same one may come twice.
        magnitude: Mean strength, 0-10.
        spread: Standard deviation of the strength.
        fill: RGB of what comes in from outside the picture.
    """

    operations: int = 2
    magnitude: float = 9.0
    spread: float = 0.5
    fill: Fill = (124, 116, 104)

    def __post_init__(self) -> None:
        if not 0 <= self.magnitude <= TOP:
            msg = f"the magnitude of RandAugment lies in 0-{TOP:g}, got {self.magnitude}"
            raise UsageError(msg)

    def __call__(self, image: Picture, rng: np.random.Generator) -> Picture:
        """Change a picture; every random number comes from `rng`, always as many."""
        names = list(OPERATIONS)
        for _ in range(self.operations):
            name = names[int(rng.integers(len(names)))]
            skipped, sign = rng.random() < SKIPPED, -1.0 if rng.random() < 0.5 else 1.0
            level = min(max(rng.normal(self.magnitude, self.spread), 0.0), TOP) / TOP
            if not skipped:
                image = OPERATIONS[name](image, level, sign, self.fill)
        return image


def _look_up(image: Picture, table: npt.NDArray[Any]) -> Picture:
    """Replace each value by its row in a table (256, 1 or 3)."""
    rounded = np.clip(np.rint(table), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, np.broadcast_to(rounded, (256, 3))[None].copy()), np.uint8)


def _blend(base: Picture, image: Picture, factor: float) -> Picture:
    return np.asarray(cv2.addWeighted(base, 1.0 - factor, image, factor, 0.0), np.uint8)


def _warp(image: Picture, matrix: npt.NDArray[np.float64], fill: Fill) -> Picture:
    height, width = image.shape[:2]
    return np.asarray(
        cv2.warpAffine(
            image,
            matrix,
            (width, height),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=fill,
        ),
        np.uint8,
    )
