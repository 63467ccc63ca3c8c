"""What stands in a synthetic street: buildings, trees and cars, painted on a `Canvas`.

Palettes overlap on purpose: greys as the road's, greens as the trees', blues as the sky's appear
on walls and cars, so that colour alone does not tell a class.
"""

import numpy as np

from segnext.data.scenery.canvas import (
    BUILDING,
    CAR,
    CIRCLE,
    TREE,
    Array,
    Canvas,
    cells,
    disc,
    ground,
    wall,
)

Span = tuple[float, float]
Rectangle = tuple[float, float, float, float]  # left, right, near, far

_GLASS = np.array((52, 64, 78))
_LAMP_LIGHT = np.array((255, 208, 120))
_TYRE = np.array((18, 18, 20))
_BARK = np.array((92, 72, 54))
_WALLS = np.array(
    [
        *[(150, 148, 146), (108, 108, 112), (172, 92, 72), (136, 72, 60), (208, 184, 144)],
        *[(228, 222, 210), (112, 128, 92), (92, 116, 96), (134, 158, 182), (178, 196, 210)],
        *[(216, 170, 98), (128, 104, 84)],
    ]
)
_ROOFS = np.array([(92, 56, 48), (120, 66, 50), (70, 72, 80), (96, 92, 88), (62, 84, 70)])
_LEAVES = np.array(
    [
        *[(74, 122, 54), (56, 100, 50), (98, 138, 60), (62, 110, 78), (46, 86, 60)],
        *[(192, 116, 48), (172, 72, 50), (200, 164, 68), (122, 130, 90)],
    ]
)
_CARS = np.array(
    [
        *[(234, 234, 232), (40, 42, 48), (122, 126, 132), (184, 188, 192), (192, 36, 40)],
        *[(40, 82, 164), (52, 114, 68), (228, 180, 44), (120, 84, 60), (128, 178, 214)],
    ]
)
# Parts of a car's faces.
_TYRES = cells((0.02, 0.76), (0, 0), (0.24, 0.98), (1, 1))
_PANE = cells(0.08, 0.08, 0.92, 0.84)
_BUMPER = cells(0, 0, 1, 0.2)
_LAMPS = cells((0.04, 0.76), (0.5, 0.5), (0.24, 0.96), (0.85, 0.85))
_PLATE = cells(0.35, 0.26, 0.65, 0.5)


def _pick(rng: np.random.Generator, palette: Array) -> Array:
    chosen: Array = palette[rng.integers(len(palette))] + rng.integers(-12, 13, 3)
    return chosen


def paint_building(canvas: Canvas, rng: np.random.Generator, x: Span, z: Span) -> None:
    """Paint a house or a block over the ground rectangle x[0]..x[1], z[0]..z[1], in metres."""
    height = float(rng.uniform(5, 8) if rng.random() < 0.5 else rng.uniform(8, 16))
    color, roof = _pick(rng, _WALLS), _pick(rng, _ROOFS)
    side = -1 if x[0] + x[1] > 0 else 1
    street = x[0] if side < 0 else x[1]
    shift = -canvas.light.sun_side * height * 0.5
    far_corners = [(x[1] + shift, z[1]), (x[0] + shift, z[1])]
    canvas.cast_shadow(ground([(x[0], z[0]), (x[1], z[0]), *far_corners]))
    pitched = height < 8 and rng.random() < 0.75
    if pitched:
        _paint_pitched_roof(canvas, x, z, height, (roof, color))
    shape = (rng.uniform(0.18, 0.3), rng.uniform(0.2, 0.3), rng.uniform(2.3, 3.4))
    if street * side < 0:
        along = wall((street, z[0]), (street, z[1]), 0, height)
        _paint_facade(canvas, rng, along, color * canvas.light.facing(side), shape)
    front = wall((x[0], z[0]), (x[1], z[0]), 0, height)
    _paint_facade(canvas, rng, front, color * canvas.light.facing(0) * 0.9, shape)
    if not pitched:
        canvas.paint(cells(0, 1 - 0.45 / height, 1, 1) @ front, roof, BUILDING)


def _paint_facade(
    canvas: Canvas,
    rng: np.random.Generator,
    face: Array,
    color: Array,
    shape: tuple[float, float, float],
) -> None:
    """Paint a wall with rows of windows; `shape` is their margins (u, v) and spacing in metres."""
    margin_u, margin_v, spacing = shape
    height, length = face[2, 1], float(np.abs(face[1] - face[0]).sum())
    canvas.paint(face, color, BUILDING)
    canvas.paint(cells(0, 0, 1, 0.5 / height) @ face, color * 0.7, BUILDING)
    floors, columns = max(1, int(height / 2.9)), max(1, int(length / spacing))
    row, column = np.divmod(np.arange(floors * columns), columns)
    step_u, step_v = 1 / columns, (1 - 0.6 / height) / floors
    left, low = (column + margin_u) * step_u, (row + margin_v + 0.1) * step_v
    right, high = (column + 1 - margin_u) * step_u, (row + 1 - margin_v) * step_v
    lit = rng.random(len(row)) < (0.5 if canvas.light.dusk else 0.03)
    glass = _GLASS * 0.72 + canvas.light.haze * 0.28
    colors = np.where(lit[:, None], _LAMP_LIGHT, glass)
    canvas.paint(cells(left, low, right, high) @ face, colors, BUILDING)


def _paint_pitched_roof(
    canvas: Canvas, x: Span, z: Span, height: float, colors: tuple[Array, Array]
) -> None:
    """Paint both slopes and the gable (roof and wall colour); nearer parts cover what is hidden."""
    roof, color = colors
    middle, ridge = sum(x) / 2, height + (x[1] - x[0]) * 0.34
    near, low = z[0] - 0.2, height - 0.2
    for side in (1, -1) if middle > 0 else (-1, 1):
        eaves = middle + side * ((x[1] - x[0]) / 2 + 0.3)
        top = [(middle, ridge, z[1]), (middle, ridge, near)]
        slope = np.array([(eaves, low, near), (eaves, low, z[1]), *top])
        canvas.paint(slope, roof * canvas.light.facing(side), BUILDING)
    gable = np.array([(x[0], height, z[0]), (x[1], height, z[0]), (middle, ridge - 0.3, z[0])])
    canvas.paint(gable, color * canvas.light.facing(0) * 0.9, BUILDING)


def paint_tree(canvas: Canvas, rng: np.random.Generator, x: float, z: float) -> None:
    """Paint a broad-leaved tree or a conifer that stands at (x, z), in metres."""
    height, leaves = float(rng.uniform(4.5, 8.5)), _pick(rng, _LEAVES)
    radius = height * float(rng.uniform(0.27, 0.37))
    shift = -canvas.light.sun_side * height * 0.45
    canvas.cast_shadow(ground(CIRCLE * (radius, radius * 0.7) + (x + shift, z + 0.5)))
    half = height * 0.055
    trunk = wall((x - half, z), (x + half, z), 0, height * 0.5)
    canvas.paint(trunk, _BARK * rng.uniform(0.7, 1.2), TREE)
    if rng.random() < 0.25:
        _paint_conifer(canvas, (x, height, z), radius, leaves * 0.8)
    else:
        _paint_crown(canvas, rng, (x, height - radius, z), radius, leaves)


def _paint_conifer(
    canvas: Canvas, tip: tuple[float, float, float], radius: float, color: Array
) -> None:
    """Paint four tiers of needles under the tip, with the half towards the sun brighter."""
    x, height, z = tip
    for tier in range(4):
        low, high = height * (0.12 + 0.2 * tier), height * min(1.0, 0.52 + 0.17 * tier)
        half = radius * (1 - 0.2 * tier)
        needles = np.array([(x - half, low, z), (x + half, low, z), (x, high, z)])
        canvas.paint(needles, color * (0.72 + 0.05 * tier), TREE)
        bright = needles.copy()
        bright[0 if canvas.light.sun_side > 0 else 1, 0] = x
        canvas.paint(bright, color * (0.85 + 0.3 * canvas.light.sun), TREE)


def _paint_crown(
    canvas: Canvas,
    rng: np.random.Generator,
    middle: tuple[float, float, float],
    radius: float,
    color: Array,
) -> None:
    """Paint clumps of leaves: dark ones first, the bright ones towards the sun last."""
    spots, sizes = rng.uniform(-0.7, 0.7, (18, 2)), rng.uniform(0.26, 0.44, (18, 1, 1))
    brightness = spots[:, 0] * 0.4 * canvas.light.sun_side * canvas.light.sun + spots[:, 1] * 0.4
    order = np.argsort(brightness, kind="stable")
    clumps = np.tile(disc(*middle, radius), (18, 1, 1))
    clumps[..., :2] = (CIRCLE * sizes[order] + spots[order, None]) * radius + middle[:2]
    canvas.paint(disc(*middle, radius * 0.8), color * 0.55, TREE)
    canvas.paint(clumps, color * (0.92 + 0.7 * brightness[order, None]), TREE)


def paint_car(
    canvas: Canvas, rng: np.random.Generator, x: float, z: float, *, oncoming: bool
) -> None:
    """Paint a car or van whose near end stands at z; oncoming ones show their front."""
    tall = rng.random() < 0.25
    half, length, roof = (1.0, 4.8, 2.1) if tall else (0.9, 4.1, 1.5)
    color, belt = _pick(rng, _CARS), roof * 0.58
    left, right, far = x - half, x + half, z + length
    base = (left, right, z, far)
    _cast_car_shadow(canvas, base)
    _paint_box(canvas, base, (0.12, 0.4), base, _TYRE)
    _paint_wheels(canvas, base)
    _paint_box(canvas, base, (0.3, belt), base, color)
    front, back = (0.1, 0.3) if tall else (1.1, 0.5) if oncoming else (0.4, 1.2)
    cabin = (left + 0.05, right - 0.05, z + front, far - back)
    top = (left + 0.16, right - 0.16, z + front + 0.4, far - back - 0.4)
    glass = _GLASS * 0.6 + canvas.light.haze * 0.16
    for face in _paint_box(canvas, cabin, (belt, roof), top, color):
        canvas.paint(_PANE @ face, glass, CAR)
    _paint_lamps(canvas, wall((left, z), (right, z), 0.3, belt), color, oncoming=oncoming)


def _cast_car_shadow(canvas: Canvas, base: Rectangle) -> None:
    left, right, near, far = base
    shift = -canvas.light.sun_side * 0.9
    left, right = min(left, left + shift), max(right, right + shift)
    outline = [(left, near - 0.3), (right, near - 0.3), (right, far), (left, far)]
    canvas.cast_shadow(ground(outline))


def _paint_box(
    canvas: Canvas, base: Rectangle, rows: Span, top: Rectangle, color: Array
) -> list[Array]:
    """Paint what shows of a body between two rectangles at two heights; return its walls."""
    lower, upper = _corners(base, rows[0]), _corners(top, rows[1])
    canvas.paint(upper, color * 1.1, CAR)
    walls = [(0, 1, 0)]
    if base[0] > 0:
        walls.insert(0, (0, 3, -1))
    elif base[1] < 0:
        walls.insert(0, (1, 2, 1))
    faces = []
    for near, far, side in walls:
        face = np.array([lower[near], lower[far], upper[far], upper[near]])
        canvas.paint(face, color * canvas.light.facing(side) * 0.88, CAR)
        faces.append(face)
    return faces


def _corners(rectangle: Rectangle, y: float) -> Array:
    left, right, near, far = rectangle
    return np.array([(left, y, near), (right, y, near), (right, y, far), (left, y, far)])


def _paint_wheels(canvas: Canvas, base: Rectangle) -> None:
    """Paint tyres under the near end, and discs on the side that shows."""
    left, right, near, far = base
    canvas.paint(_TYRES @ wall((left, near), (right, near), 0, 0.4), _TYRE, CAR)
    if left > 0 or right < 0:
        for axle in (near + 0.8, far - 0.8):
            wheel = disc(axle, 0.36, left if left > 0 else right, 0.36)[:, ::-1]
            canvas.paint(wheel, _TYRE, CAR)


def _paint_lamps(canvas: Canvas, end: Array, color: Array, *, oncoming: bool) -> None:
    canvas.paint(_BUMPER @ end, color * 0.45, CAR)
    canvas.paint(_LAMPS @ end, (255, 248, 220) if oncoming else (216, 28, 30), CAR)
    canvas.paint(_PLATE @ end, (224, 224, 216), CAR)
