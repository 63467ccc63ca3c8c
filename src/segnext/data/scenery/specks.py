"""Slides under a microscope: tiny rings and discs among debris that is neither.

Both kinds of cells and the debris take up the same stain, which differs from slide to slide, so
that only shape tells them apart. Cells measure 3 to 9 px and cover under 3 % of a slide.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segnext.classes import Classes, Mask
from segnext.data.images import Image
from segnext.data.scenery.noise import draw_direction, smooth_noise

CLASSES = Classes(("background", "ring", "disc"), ((226, 222, 232), (232, 88, 60), (44, 96, 190)))
RING, DISC = 1, 2
_OVERSAMPLING = 4
_AREA = 160 * 128  # counts are given for a slide of so many pixels

_Ink = npt.NDArray[np.uint8]


def draw_specks(rng: np.random.Generator, width: int, height: int) -> tuple[Image, Mask]:
    """Draw a stained slide.

    Returns:
        Image (H, W, 3) uint8 in RGB and mask (H, W) uint8 of `CLASSES` ids.
    """
    ink = np.zeros((height * _OVERSAMPLING, width * _OVERSAMPLING), np.uint8)
    labels = np.zeros_like(ink)
    _drop_debris(rng, ink)
    _drop_cells(rng, ink, labels)
    sharp = cv2.resize(ink, (width, height), interpolation=cv2.INTER_AREA)
    middle = slice(_OVERSAMPLING // 2, None, _OVERSAMPLING)
    mask = np.ascontiguousarray(labels[middle, middle])
    return _photograph(rng, np.maximum(sharp, _draw_blurs(rng, width, height))), mask


def _count(rng: np.random.Generator, ink: _Ink, low: int, high: int) -> int:
    """Draw how many of a thing there are, `low` to `high` on a slide of usual size."""
    return max(1, round(rng.uniform(low, high) * ink.size / _OVERSAMPLING**2 / _AREA))


def _place(rng: np.random.Generator, ink: _Ink) -> npt.NDArray[np.float64]:
    return rng.uniform(0, 1, 2) * (ink.shape[1], ink.shape[0])


def _drop_debris(rng: np.random.Generator, ink: _Ink) -> None:
    """Draw shards of the size of cells, fibres and dust; all of it background."""
    for _ in range(_count(rng, ink, 4, 14)):
        corners = _place(rng, ink) + rng.uniform(-4, 4, (rng.integers(3, 5), 2)) * _OVERSAMPLING
        shard = cv2.convexHull(np.rint(corners).astype(np.int32))
        cv2.fillConvexPoly(ink, shard, int(rng.integers(90, 240)))
    for _ in range(_count(rng, ink, 0, 4)):
        step = np.array(draw_direction(rng)) * rng.uniform(3, 9) * _OVERSAMPLING
        bend = step[::-1] * (-1, 1) * rng.uniform(-0.4, 0.4)
        t = np.arange(7.0)[:, None]
        fibre = _place(rng, ink) + step * t + bend * (t * t / 6)
        line, level = np.rint(fibre).astype(np.int32), int(rng.integers(60, 200))
        cv2.polylines(ink, [line], isClosed=False, color=level, thickness=_OVERSAMPLING)
    for x, y in [_place(rng, ink) for _ in range(_count(rng, ink, 10, 50))]:
        radius = int(rng.integers(1, _OVERSAMPLING))
        cv2.circle(ink, (int(x), int(y)), radius, int(rng.integers(60, 220)), cv2.FILLED)


def _drop_cells(rng: np.random.Generator, ink: _Ink, labels: _Ink) -> None:
    """Draw cells over whatever lies there, apart from each other."""
    others: list[tuple[npt.NDArray[np.float64], float]] = []
    for _ in range(_count(rng, ink, 3, 13)):
        center, kind = _place(rng, ink), RING if rng.random() < 0.5 else DISC
        radius = rng.uniform(5 if kind == RING else 3, 9) / 2 * _OVERSAMPLING
        gap = 2 * _OVERSAMPLING
        if any(np.hypot(*(center - other)) < radius + far + gap for other, far in others):
            continue
        others.append((center, radius))
        shape = center, radius, radius * rng.uniform(0.8, 1.0), rng.uniform(0, 180)
        _fill_ellipse(labels, *shape, kind)
        if kind == DISC:
            _fill_ellipse(ink, *shape, int(rng.integers(90, 230)))
        else:
            _fill_ellipse(ink, *shape, int(rng.integers(150, 250)))
            hole = rng.uniform(1.1, 1.5) * _OVERSAMPLING
            inner = center, shape[1] - hole, shape[2] - hole, shape[3]
            _fill_ellipse(ink, *inner, int(rng.integers(20, 90)))


def _fill_ellipse(
    canvas: _Ink, center: Any, long: float, short: float, degrees: float, value: int
) -> None:
    middle = round(float(center[0])), round(float(center[1]))
    axes = max(1, round(long)), max(1, round(short))
    cv2.ellipse(canvas, middle, axes, degrees, 0, 360, value, cv2.FILLED)


def _draw_blurs(rng: np.random.Generator, width: int, height: int) -> _Ink:
    """Draw things out of focus (H, W), several times as large as cells."""
    blurs = np.zeros((height, width), np.uint8)
    for _ in range(rng.integers(0, 4)):
        center = rng.uniform(0, 1, 2) * (width, height)
        long, short = rng.uniform(4, 11, 2)
        turn, level = rng.uniform(0, 180), int(rng.integers(50, 130))
        _fill_ellipse(blurs, center, long, short, turn, level)
    return np.asarray(cv2.GaussianBlur(blurs, (0, 0), 3.0))


def _photograph(rng: np.random.Generator, ink: _Ink) -> npt.NDArray[np.uint8]:
    """Shine light through stain (H, W): unevenly lit glass, lens and sensor."""
    height, width = ink.shape
    lamp = rng.uniform(170, 240) * (1 + rng.uniform(-0.06, 0.06, 3))
    lit = (
        1 + smooth_noise(rng, width, height, 70) * 0.12 + smooth_noise(rng, width, height, 5) * 0.02
    )
    # Grey stains darken all channels alike, others some channels more.
    absorbed = rng.uniform(0.35, 0.75) * (1 - rng.uniform(0, 0.8) * rng.uniform(0, 1, 3))
    soft = cv2.GaussianBlur(ink, (0, 0), rng.uniform(0.35, 0.7)).astype(np.float32) / 255
    seen = lit[..., None] * (1 - soft[..., None] * absorbed) * lamp
    grain = rng.integers(-5, 6, seen.shape, np.int8) * rng.uniform(0.4, 1.2)
    return np.asarray(np.clip(np.rint(seen + grain), 0, 255), np.uint8)
