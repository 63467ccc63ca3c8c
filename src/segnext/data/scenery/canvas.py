"""Perspective, light and the canvas of the synthetic scenes.

World coordinates are metres: x to the right, y up from the ground, z away from the camera. A face
is a (4, 3) array of corners in the order bottom left, bottom right, top right, top left. Picture
and mask are filled by the same polygons, so masks are exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Numbers = float | Sequence[float] | Array

SKY, BUILDING, TREE, ROAD, GRASS, CAR = range(6)
OVERSAMPLING = 3

# Sixteen corners of the unit circle by a rational formula: no sine that differs by platform.
_T = np.linspace(-1, 1, 9)[:-1]
_HALF = np.stack([(1 - _T**2) / (1 + _T**2), 2 * _T / (1 + _T**2)], axis=1)
CIRCLE = np.concatenate([_HALF, -_HALF])


@dataclass(frozen=True)
class Camera:
    """A level pinhole camera.

    Attributes:
        vanish: Column where straight roads end, in pixels.
        horizon: Row of the horizon, in pixels.
        focal: Focal length in pixels.
        height: Metres above the ground.
    """

    vanish: float
    horizon: float
    focal: float
    height: float

    def project(self, points: Array) -> Array:
        """Return pixel positions (N, 2) of world points (N, 3)."""
        scale = self.focal / points[:, 2]
        columns = self.vanish + points[:, 0] * scale
        rows = self.horizon + (self.height - points[:, 1]) * scale
        return np.stack([columns, rows], axis=1)

    def ground_depth(self, rows: Array) -> Array:
        """Return how far away, in metres, the ground seen in rows below the horizon is."""
        return self.focal * self.height / np.maximum(rows - self.horizon, 0.5)


@dataclass(frozen=True)
class Light:
    """Weather and time of day of one scene.

    Attributes:
        sun_side: -1 where the sun stands on the left, 1 on the right.
        sun: Strength of shadows and lit sides, 0 (overcast) to 1.
        zenith: RGB of the sky's top.
        haze: RGB of the sky's foot, towards which distant things fade.
        visibility: Metres at which half of a colour is haze.
        dusk: Windows are lit and everything else is dim.
    """

    sun_side: int
    sun: float
    zenith: Array
    haze: Array
    visibility: float
    dusk: bool

    def facing(self, side: int) -> float:
        """Return the brightness of a wall that looks left (-1), right (1) or at the camera (0)."""
        return 1.0 + self.sun * (0.2 * side * self.sun_side if side else -0.06)

    def haze_share(self, depth: Array) -> Array:
        """Return how much of a colour, 0-1, haze hides at `depth` metres."""
        return depth / (depth + self.visibility)


class Canvas:
    """A list of polygons, back to front, that `finish` turns into a picture and its mask.

    Args:
        width: Columns of the finished picture.
        height: Rows of the finished picture.
        camera: How world points become pixels.
        light: Sky, and the haze that fades colours with distance.
    """

    def __init__(self, width: int, height: int, camera: Camera, light: Light) -> None:
        self.width, self.height = width, height
        self.camera, self.light = camera, light
        self._points: list[Array] = []
        self._sizes: list[int] = []
        self._colors: list[Array] = []
        self._shadows: list[Array] = []

    def sees(self, x: float, z: float) -> bool:
        """Tell whether a column of the picture shows the place `x` metres right, `z` ahead."""
        return 0 <= self.camera.vanish + x * self.camera.focal / z < self.width

    def paint(self, points: Array, color: Numbers, label: int) -> None:
        """Add convex polygons in front of the earlier ones.

        Args:
            points: World points, (P, 3) for one polygon or (N, P, 3).
            color: RGB for all, or (N, 3).
            label: Class of all.
        """
        count = 1 if points.ndim == 2 else len(points)
        colors = np.empty((count, 4))
        colors[:, :3], colors[:, 3] = color, label
        self._points.append(points.reshape(-1, 3))
        self._sizes += [points.shape[-2]] * count
        self._colors.append(colors)

    def cast_shadow(self, points: Array) -> None:
        """Darken road and grass under a ground polygon (P, 3), whatever else is drawn there."""
        self._shadows.append(self.camera.project(points))

    def finish(self) -> tuple[Array, Array]:
        """Return image (H, W, 3) float32 0-255 and mask (H, W) uint8 at the final size."""
        # The fourth channel holds the label: one fill serves picture and mask.
        large = self._draw_sky()
        corners, ends, colors = self._flatten()
        for start, end, color in zip([0, *ends], ends, colors, strict=False):
            cv2.fillConvexPoly(large, corners[start:end], color)
        size = (self.width, self.height)
        image = cv2.resize(large, size, interpolation=cv2.INTER_AREA)[..., :3].astype(np.float32)
        middle = slice(OVERSAMPLING // 2, None, OVERSAMPLING)
        mask = np.ascontiguousarray(large[middle, middle, 3])
        return self._shade_ground(image, mask), mask

    def _draw_sky(self) -> Array:
        rows = self.height * OVERSAMPLING
        down = np.linspace(0, self.height / self.camera.horizon, rows)[:, None].clip(max=1)
        column = np.full((rows, 4), SKY, np.uint8)
        column[:, :3] = self.light.zenith * (1 - down) + self.light.haze * down
        sky = np.repeat(column.view(np.uint32), self.width * OVERSAMPLING, axis=1)
        return sky.view(np.uint8).reshape(rows, -1, 4)

    def _flatten(self) -> tuple[Array, list[int], list[list[int]]]:
        """Return all corners in drawing pixels, where each polygon ends, and its four channels."""
        points, colors = np.concatenate(self._points), np.concatenate(self._colors)
        ends = np.cumsum(self._sizes)
        depth = np.minimum.reduceat(points[:, 2], np.concatenate([[0], ends[:-1]]))
        share = self.light.haze_share(depth)[:, None]
        # Ground polygons reach from near to far: they get their haze by rows, in `_shade_ground`.
        share[(colors[:, 3] == ROAD) | (colors[:, 3] == GRASS)] = 0
        colors[:, :3] += (self.light.haze - colors[:, :3]) * share
        corners = np.rint(self.camera.project(points) * OVERSAMPLING).astype(np.int32)
        return corners, ends.tolist(), np.rint(colors.clip(0, 255)).astype(int).tolist()

    def _shade_ground(self, image: Array, mask: Array) -> Array:
        """Lay shadows and haze over road and grass."""
        shadow = np.zeros(mask.shape, np.uint8)
        for outline in self._shadows:
            cv2.fillConvexPoly(shadow, np.rint(outline).astype(np.int32), 255)
        depth = self.camera.ground_depth(np.arange(self.height))
        share = self.light.haze_share(depth).astype(np.float32)[:, None]
        on_ground = ((mask == ROAD) | (mask == GRASS)).astype(np.float32)
        added = on_ground * share
        shade = cv2.blur(shadow, (3, 3)) * on_ground * np.float32(self.light.sun / 510)
        kept = (1 - shade) * (1 - added)
        planes = zip(cv2.split(image), self.light.haze, strict=True)
        lit = [plane * kept + added * np.float32(haze) for plane, haze in planes]
        return np.asarray(cv2.merge(lit))


def ground(points: Sequence[tuple[float, float]] | Array) -> Array:
    """Return world points (P, 3) of (x, z) positions on the ground."""
    return np.array([(x, 0.0, z) for x, z in points])


def wall(start: tuple[float, float], end: tuple[float, float], bottom: float, top: float) -> Array:
    """Return the upright face between two (x, z) ground positions."""
    (x_start, z_start), (x_end, z_end) = start, end
    lower = [(x_start, bottom, z_start), (x_end, bottom, z_end)]
    return np.array([*lower, (x_end, top, z_end), (x_start, top, z_start)])


def disc(x: float, y: float, z: float, radius: float) -> Array:
    """Return an upright disc (16, 3) that looks at the camera."""
    points = np.full((len(CIRCLE), 3), (x, y, z))
    points[:, :2] += CIRCLE * radius
    return points


def cells(left: Numbers, low: Numbers, right: Numbers, high: Numbers) -> Array:
    """Return weights that cut rectangles out of a face: `cells(...) @ face`.

    Args:
        left: Where they start, as a share 0-1 of the face's width: one number, or N.
        low: Where they start, as a share of its height.
        right: Where they end.
        high: Where they end.

    Returns:
        (4, 4) for one rectangle, (N, 4, 4) for N.
    """
    u, v = np.array([left, right, right, left]), np.array([low, low, high, high])
    weights = np.array([(1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v])
    return np.swapaxes(weights, 0, 1) if weights.ndim == 2 else weights.transpose(2, 1, 0)
