"""Textures and shapes that several domains of the synthetic scenes share."""

import cv2
import numpy as np
import numpy.typing as npt

Noise = npt.NDArray[np.float32]


def smooth_noise(
    rng: np.random.Generator, width: int, height: int, step: int, *, step_y: int | None = None
) -> Noise:
    """Return smooth noise (H, W) in about -1..1.

    Args:
        rng: Source of every random number.
        width: Columns.
        height: Rows.
        step: Width of the grains [px].
        step_y: Height of the grains [px]; by default their width.
    """
    size = (height // (step_y or step) + 2, width // step + 2)
    grains = rng.integers(0, 256, size, np.uint8)
    smooth = cv2.resize(grains, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth, np.float32) / np.float32(128) - 1


def draw_direction(rng: np.random.Generator) -> tuple[float, float]:
    """Return a unit vector (x, y), every direction as likely as any other."""
    while True:
        x, y = rng.uniform(-1, 1, 2).tolist()
        length = (x * x + y * y) ** 0.5
        # Points of the disc only; no sine, which differs by platform in its last bit.
        if 0.1 < length <= 1:
            return x / length, y / length
