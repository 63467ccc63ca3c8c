"""A synthetic street: where road, houses, trees and cars stand, and how they are photographed.

Units are metres. Colours overlap between classes: grey houses beside a grey road, green cars below
green trees.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segnext.classes import Classes, Mask
from segnext.data.images import Image
from segnext.data.scenery.canvas import (
    BUILDING,
    CIRCLE,
    GRASS,
    ROAD,
    SKY,
    TREE,
    Array,
    Camera,
    Canvas,
    Light,
    disc,
    ground,
    wall,
)
from segnext.data.scenery.noise import smooth_noise
from segnext.data.scenery.objects import Span, paint_building, paint_car, paint_tree

_FAR = 75.0  # the background stands here
_BEYOND = 200.0
_ASPHALTS = np.array([(104, 104, 108), (86, 86, 90), (126, 122, 118), (116, 108, 100)])
_LAWNS = np.array([(104, 148, 62), (126, 156, 72), (88, 128, 58), (160, 150, 86), (142, 128, 88)])
_WOODS = np.array([(72, 104, 62), (58, 88, 60), (96, 110, 62), (140, 104, 62)])
_SKYLINES = np.array([(150, 148, 150), (172, 140, 120), (140, 150, 164), (196, 188, 174)])
_WHITE = np.array((226, 226, 220))
_YELLOW = np.array((232, 190, 72))


CLASSES = Classes(
    ("sky", "building", "tree", "road", "grass", "car"),
    ((104, 178, 236), (222, 146, 62), (34, 124, 74), (122, 98, 160), (164, 208, 84), (226, 48, 88)),
)
# Texture per class in grey levels: fine grain, clumps of about 3 px, patches of about 12 px.
_TEXTURE = np.array(
    [(0, 0, 0), (5, 4, 12), (22, 40, 12), (9, 4, 16), (24, 14, 26), (2, 0, 5)], np.float32
)

Standing = list[tuple[float, Callable[[], None]]]


@dataclass(frozen=True)
class _Road:
    """Where the road runs: its middle at the camera, its bend (1/m), half its width."""

    offset: float
    bend: float
    half: float

    def middle(self, z: Any) -> Any:
        return self.offset + self.bend * z * z

    def strip(self, left: float, right: float, near: float, far: float) -> Array:
        """Return convex pieces (N, 4, 3) of a band along the road, `left` to `right` of it."""
        count = 12 if far - near > 10 else 1
        z = 1 / np.linspace(1 / near, 1 / far, count + 1)
        pieces = np.zeros((count, 4, 3))
        pieces[:, [0, 1], 2], pieces[:, [2, 3], 2] = z[:-1, None], z[1:, None]
        pieces[..., 0] = self.middle(pieces[..., 2])
        pieces[..., 0] += (left, right, right, left)
        return pieces


def draw_street(rng: np.random.Generator, width: int, height: int) -> tuple[Image, Mask]:
    """Draw a street seen from a vehicle.

    Returns:
        Image (H, W, 3) uint8 in RGB and mask (H, W) uint8 of `CLASSES` ids.
    """
    light = _draw_light(rng)
    camera = Camera(
        vanish=width * rng.uniform(0.36, 0.64),
        horizon=height * rng.uniform(0.36, 0.5),
        focal=height * rng.uniform(0.95, 1.25),
        height=rng.uniform(2.8, 4.2),
    )
    canvas = Canvas(width, height, camera, light)
    _paint_street(canvas, rng)
    image, mask = canvas.finish()
    return _photograph(rng, image, mask, light), mask


def _draw_light(rng: np.random.Generator) -> Light:
    """Choose a clear (45 %), overcast (25 %), foggy (12 %) or evening (18 %) sky."""
    weather = rng.random()
    sun_side = 1 if rng.random() < 0.5 else -1
    tone = rng.integers(-10, 11, 3)
    if weather < 0.45:
        zenith, haze = np.array((92, 148, 214)) + tone, np.array((202, 220, 234)) + tone
        return Light(sun_side, rng.uniform(0.7, 1), zenith, haze, rng.uniform(150, 320), dusk=False)
    if weather < 0.70:
        zenith, haze = np.array((176, 184, 194)) + tone, np.array((214, 216, 218)) + tone
        return Light(
            sun_side, rng.uniform(0.1, 0.3), zenith, haze, rng.uniform(90, 180), dusk=False
        )
    if weather < 0.82:
        zenith, haze = np.array((190, 196, 200)) + tone, np.array((204, 206, 206)) + tone
        return Light(sun_side, 0.08, zenith, haze, rng.uniform(30, 55), dusk=False)
    zenith, haze = np.array((116, 124, 188)) + tone, np.array((255, 186, 128)) + tone
    return Light(sun_side, rng.uniform(0.3, 0.6), zenith, haze, rng.uniform(120, 240), dusk=True)


def _paint_street(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint ground, road and background, then everything that stands, the farthest first."""
    road = _Road(rng.uniform(-2.0, 2.0), rng.uniform(-0.004, 0.004), rng.uniform(3.4, 4.8))
    near = float(canvas.camera.ground_depth(np.array(canvas.height))) * 0.9
    _paint_ground(canvas, rng, road, near)
    _paint_background(canvas, rng)
    standing = _plan_traffic(canvas, rng, road, near)
    for side in (-1, 1):
        standing += _plan_roadside(canvas, rng, road, side)
    for _, paint in sorted(standing, key=lambda item: -item[0]):
        paint()


def _paint_ground(canvas: Canvas, rng: np.random.Generator, road: _Road, near: float) -> None:
    lawn = _LAWNS[rng.integers(len(_LAWNS))] + rng.integers(-10, 11, 3)
    asphalt = _ASPHALTS[rng.integers(len(_ASPHALTS))] + rng.integers(-10, 11, 3)
    kerb = asphalt * 0.6 + 76
    canvas.paint(_across(near, _BEYOND), lawn, GRASS)
    crossing = near + rng.uniform(4, 12)
    has_crossing = rng.random() < 0.35
    if has_crossing:
        canvas.paint(_across(crossing - 0.3, crossing + 5.3), kerb, ROAD)
    canvas.paint(road.strip(-road.half - 0.35, road.half + 0.35, near, _BEYOND), kerb, ROAD)
    canvas.paint(road.strip(-road.half, road.half, near, _BEYOND), asphalt, ROAD)
    for side in (-1, 1):
        edge = side * (road.half - 0.35)
        canvas.paint(road.strip(edge - 0.07, edge + 0.07, near, _FAR), _WHITE, ROAD)
    dashes = _WHITE if rng.random() < 0.75 else _YELLOW
    for start in np.arange(near - rng.uniform(0, 3), 50, 5.0):
        canvas.paint(road.strip(-0.09, 0.09, max(start, near), start + 2.6), dashes, ROAD)
    if has_crossing:
        canvas.paint(_across(crossing, crossing + 5), asphalt, ROAD)
        for left in np.arange(-road.half + 0.5, road.half - 0.6, 1.0):
            canvas.paint(road.strip(left, left + 0.5, crossing - 2.6, crossing - 0.6), _WHITE, ROAD)


def _across(near: float, far: float) -> Array:
    """Return a ground band (4, 3) from far left to far right."""
    return ground([(-4 * far, near), (4 * far, near), (4 * far, far), (-4 * far, far)])


def _paint_background(canvas: Canvas, rng: np.random.Generator) -> None:
    """Close the view at the end of the street with a skyline behind a line of trees."""
    reach = _FAR * max(canvas.width, canvas.height) / canvas.camera.focal
    stone = _SKYLINES[rng.integers(len(_SKYLINES))]
    for left in np.arange(-reach, reach, 13.0):
        if rng.random() < 0.55:
            start, length = left + rng.uniform(-3, 3), rng.uniform(9, 16)
            block = wall((start, _FAR + 10), (start + length, _FAR + 10), 0, rng.uniform(9, 24))
            canvas.paint(block, stone * rng.uniform(0.8, 1.1), BUILDING)
    wood = _WOODS[rng.integers(len(_WOODS))] + rng.integers(-10, 11, 3)
    height = rng.uniform(6, 11)
    canvas.paint(wall((-reach, _FAR), (reach, _FAR), 0, height - 2), wood * 0.8, TREE)
    lefts = np.arange(-reach, reach, 4.0)
    crowns = np.tile(disc(0, height - 3, _FAR, 1), (len(lefts), 1, 1))
    crowns[..., :2] += CIRCLE * rng.uniform(2, 4, (len(lefts), 1, 1))
    crowns[..., 0] += lefts[:, None]
    canvas.paint(crowns, wood * rng.uniform(0.8, 1.12, (len(lefts), 1)), TREE)


def _plan_roadside(canvas: Canvas, rng: np.random.Generator, road: _Road, side: int) -> Standing:
    """Line one side of the road with houses and trees, or with a park."""
    standing: Standing = []
    park = rng.random() < 0.3
    z = rng.uniform(7, 15)
    while z < 0.8 * _FAR:
        length = rng.uniform(7, 14)
        verge = side * road.half + road.middle(z + (length if side * road.bend < 0 else 0))
        if park or rng.random() < 0.2:
            for x in verge + side * rng.uniform(1.5, 12, rng.integers(1, 4)):
                standing += _tree(canvas, rng, x, z + rng.uniform(0, length))
        else:
            inner = verge + side * rng.uniform(2.5, 6)
            outer = inner + side * rng.uniform(8, 13)
            standing += _building(canvas, rng, (inner, outer), (z, z + length))
            if rng.random() < 0.45:
                x = verge + side * rng.uniform(1.2, 2.2)
                standing += _tree(canvas, rng, x, z + rng.uniform(-2, length))
        z += length + rng.uniform(1, 7)
    return standing


def _tree(canvas: Canvas, rng: np.random.Generator, x: float, z: float) -> Standing:
    in_view = canvas.sees(x - 4, z) or canvas.sees(x + 4, z)
    return [(z, lambda: paint_tree(canvas, rng, x, z))] if in_view else []


def _building(canvas: Canvas, rng: np.random.Generator, x: Span, z: Span) -> Standing:
    in_view = canvas.sees(x[0], z[1]) or canvas.sees(x[1], z[1])
    span = (min(x), max(x))
    return [(z[0], lambda: paint_building(canvas, rng, span, z))] if in_view else []


def _plan_traffic(canvas: Canvas, rng: np.random.Generator, road: _Road, near: float) -> Standing:
    """Put cars into both lanes: ours on the right, the oncoming ones on the left."""
    standing: Standing = []
    for lane in (-1, 1):
        z = near + rng.uniform(1.5, 9 if lane > 0 else 12)
        while z < 28:
            x = road.middle(z) + lane * road.half * rng.uniform(0.42, 0.56)
            standing.append(_car(canvas, rng, x, z, oncoming=lane < 0))
            z += rng.uniform(8, 26)
    return standing


def _car(
    canvas: Canvas, rng: np.random.Generator, x: float, z: float, *, oncoming: bool
) -> tuple[float, Callable[[], None]]:
    return z, lambda: paint_car(canvas, rng, x, z, oncoming=oncoming)


def _photograph(
    rng: np.random.Generator, image: Array, mask: Array, light: Light
) -> npt.NDArray[np.uint8]:
    """Turn flat paint (H, W, 3) into a picture: texture, clouds, light, lens and sensor."""
    height, width = mask.shape
    texture = np.zeros_like(mask, np.float32)
    for step, strength in zip((1, 3, 12), _TEXTURE.T, strict=True):
        texture += smooth_noise(rng, width, height, step) * strength[mask]
    cover = np.clip(_clouds(rng, width, height) - np.float32(rng.uniform(0.4, 0.75)), 0, 0.3)
    cover = np.where(mask == SKY, cover * np.float32(2.4), np.float32(0))
    white = np.minimum(light.haze * 0.5 + 136, 255)
    warmth = rng.uniform(-0.05, 0.05)
    gain = rng.uniform(0.66, 0.82) if light.dusk else rng.uniform(0.88, 1.12)
    tint = gain * (1 + warmth), gain, gain * (1 - warmth)
    planes = []
    for plane, cloud, factor in zip(cv2.split(image), white, tint, strict=True):
        clouded = (plane + texture) * (1 - cover) + cover * np.float32(cloud)
        planes.append(clouded * np.float32(factor))
    exposed = cv2.GaussianBlur(cv2.merge(planes), (3, 3), rng.uniform(0.3, 0.65))
    grain = rng.integers(-4, 5, image.shape, np.int8) * np.float32(rng.uniform(0.4, 1.2))
    return np.asarray(np.clip(np.rint(exposed + grain), 0, 255), np.uint8)


def _clouds(rng: np.random.Generator, width: int, height: int) -> Array:
    """Return billows (H, W) in 0..1, stretched along the horizon."""
    field = np.zeros((height, width), np.float32)
    for octave, weight in enumerate((0.5, 0.3, 0.2)):
        size = (5 * 2**octave, 3 * 2**octave)
        grains = rng.integers(0, 256, size, np.uint8)
        smooth = cv2.resize(grains, (width, height), interpolation=cv2.INTER_CUBIC)
        field += smooth * np.float32(weight / 255)
    return field
