"""Surface inspection: rare scratches, pits and stains on brushed metal or woven cloth.

Most of every picture, and every pixel of many, is sound. Defects are as bright as the ups and
downs of the texture around them; scratches are 1 or 2 px wide.
"""

import cv2
import numpy as np
import numpy.typing as npt

from segnext.classes import Classes, Mask
from segnext.data.images import Image
from segnext.data.scenery.noise import Noise, draw_direction, smooth_noise

CLASSES = Classes(
    ("surface", "scratch", "pit", "stain"),
    ((196, 200, 206), (230, 60, 60), (46, 60, 150), (214, 160, 50)),
)
SCRATCH, PIT, STAIN = 1, 2, 3
_CHANCE = 0.25  # of each kind of defect, so that 42 % of the pictures show none
_AREA = 160 * 128  # pits are counted for a picture of so many pixels


def draw_defects(rng: np.random.Generator, width: int, height: int) -> tuple[Image, Mask]:
    """Draw a surface, seen from straight above by a grey camera.

    Returns:
        Image (H, W, 1) uint8 and mask (H, W) uint8 of `CLASSES` ids.
    """
    weave = _brush_metal if rng.random() < 0.5 else _weave_cloth
    level = rng.uniform(95, 175)
    surface = level + weave(rng, width, height) + smooth_noise(rng, width, height, 80) * 16
    mask = np.zeros((height, width), np.uint8)
    if rng.random() < _CHANCE:
        _spill(rng, surface, mask)
    if rng.random() < _CHANCE:
        _scratch(rng, surface, mask)
    if rng.random() < _CHANCE:
        for _ in range(max(1, round(rng.uniform(1, 5) * width * height / _AREA))):
            _press(rng, surface, mask)
    exposed = cv2.GaussianBlur(surface, (3, 3), rng.uniform(0.3, 0.5))
    grain = rng.integers(-4, 5, mask.shape, np.int8) * rng.uniform(0.4, 1.2)
    return np.clip(np.rint(exposed + grain), 0, 255).astype(np.uint8)[..., None], mask


def _brush_metal(rng: np.random.Generator, width: int, height: int) -> Noise:
    """Return fine lines (H, W) along one side of the picture, in grey levels around 0."""
    upright = rng.random() < 0.5
    size = (height, width) if upright else (width, height)
    long = smooth_noise(rng, *size, 45, step_y=1) * 13
    short = smooth_noise(rng, *size, 9, step_y=1) * 8
    lines: Noise = (long + short).astype(np.float32)
    return np.ascontiguousarray(lines.T) if upright else lines


def _weave_cloth(rng: np.random.Generator, width: int, height: int) -> Noise:
    """Return threads (H, W) that go over and under each other, in grey levels around 0."""
    pitch = rng.uniform(3.5, 6.5)
    across, down = (np.arange(length) / pitch for length in (width, height))
    column, row = across.astype(int), down.astype(int)
    # A thread is bright along its middle and dark where it dives under the next one.
    round_x, round_y = (1 - np.abs(2 * (part % 1) - 1) for part in (across, down))
    over = (column[None] + row[:, None]) % 2 == 0
    profile = np.where(over, round_x[None], round_y[:, None])
    dyed = np.where(
        over,
        rng.uniform(-1, 1, column[-1] + 1)[column][None],
        rng.uniform(-1, 1, row[-1] + 1)[row][:, None],
    )
    cloth = (profile - 0.5) * rng.uniform(24, 44) + dyed * rng.uniform(4, 12)
    return np.asarray(cloth + smooth_noise(rng, width, height, 2) * 6, np.float32)


def _spill(rng: np.random.Generator, surface: Noise, mask: npt.NDArray[np.uint8]) -> None:
    """Darken or lighten a blot with a ragged edge; the texture shows through."""
    height, width = mask.shape
    x, y = rng.uniform(0.1, 0.9) * width, rng.uniform(0.1, 0.9) * height
    radius = rng.uniform(0.08, 0.2) * min(width, height)
    down, across = np.ogrid[:height, :width]
    distance = np.sqrt((across - x) ** 2 + (down - y) ** 2) / radius
    blot = distance + smooth_noise(rng, width, height, 8) * 0.3 < 1
    mask[blot] = STAIN
    strength = rng.uniform(0.1, 0.24) * (1 if rng.random() < 0.3 else -1)
    surface *= 1 + cv2.GaussianBlur(blot.astype(np.float32), (5, 5), 1.0) * np.float32(strength)


def _scratch(rng: np.random.Generator, surface: Noise, mask: npt.NDArray[np.uint8]) -> None:
    """Draw one bent line, lighter or darker than what it crosses."""
    height, width = mask.shape
    step = np.array(draw_direction(rng)) * rng.uniform(0.2, 0.5) * min(width, height)
    bend = step[::-1] * (-1, 1) * rng.uniform(-0.25, 0.25)
    t = np.linspace(-0.5, 0.5, 9)[:, None]
    middle = rng.uniform(0.15, 0.85, 2) * (width, height)
    line = np.rint(middle + step * t + bend * (t * t)).astype(np.int32)
    path = np.zeros_like(mask)
    # OpenCV's lines of thickness 2 are up to 4 px wide; two of thickness 1 side by side are not.
    beside = (1, 0) if abs(step[1]) > abs(step[0]) else (0, 1)
    for number in range(int(rng.integers(1, 3))):
        cv2.polylines(path, [line + np.multiply(beside, number)], isClosed=False, color=1)
    mask[path > 0] = SCRATCH
    surface += path * np.float32(rng.uniform(24, 55) * (1 if rng.random() < 0.6 else -1))


def _press(rng: np.random.Generator, surface: Noise, mask: npt.NDArray[np.uint8]) -> None:
    """Press one dark pit of 2 to 4 px into the surface."""
    height, width = mask.shape
    x, y, radius = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(1.0, 2.1)
    down, across = np.ogrid[:height, :width]
    pit = (across - x) ** 2 + (down - y) ** 2 <= radius**2
    mask[pit] = PIT
    surface[pit] -= rng.uniform(35, 75)
