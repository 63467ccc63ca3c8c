"""Farmland from above: five bands of 16 bit, and no direction that is up.

Digital numbers are reflectances times 10000, as satellites deliver them, so nearly all values lie
below a tenth of the full scale; a few glaring pixels are saturated, and some pictures end in a
border of zeros, where the sensor saw nothing. Bare soil, gravel and young crop share one spectrum,
dense crop and trees another, muddy water and wet soil nearly a third: place, shape and texture
tell them apart.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segnext.classes import Classes, Mask
from segnext.data.images import Image
from segnext.data.scenery.noise import draw_direction, smooth_noise

CLASSES = Classes(
    ("crop", "soil", "trees", "water", "road"),
    ((226, 196, 70), (150, 104, 66), (38, 112, 58), (56, 128, 204), (90, 90, 96)),
)
CROP, SOIL, TREES, WATER, ROAD = range(5)
BANDS = 5  # blue, green, red, red edge, near infrared
NODATA = 0
_SATURATED = 65535

# Reflectance of pure materials in the five bands.
_WET_SOIL = np.array((0.04, 0.06, 0.08, 0.11, 0.14), np.float32)
_DRY_SOIL = np.array((0.10, 0.15, 0.20, 0.25, 0.29), np.float32)
_LEAVES = np.array((0.03, 0.07, 0.04, 0.16, 0.42), np.float32)
_CLEAR_WATER = np.array((0.04, 0.035, 0.02, 0.015, 0.01), np.float32)
_MUDDY_WATER = np.array((0.06, 0.09, 0.10, 0.11, 0.10), np.float32)
_ASPHALT = np.array((0.08, 0.085, 0.09, 0.10, 0.11), np.float32)
_GRAVEL = np.array((0.12, 0.16, 0.20, 0.23, 0.26), np.float32)

_Floats = npt.NDArray[Any]
_CELLS = 64  # more than the fields that fit into one strip


def draw_bands(rng: np.random.Generator, width: int, height: int) -> tuple[Image, Mask]:
    """Draw a piece of farmland.

    Returns:
        Image (H, W, 5) uint16 and mask (H, W) uint8 of `CLASSES` ids, 255 where the image holds
        nothing but `NODATA`.
    """
    cos, sin = draw_direction(rng)
    x, y = np.arange(width) - width / 2, (np.arange(height) - height / 2)[:, None]
    wobble = smooth_noise(rng, width, height, 60)
    along = x * cos + y * sin + wobble * 2.5
    across = y * cos - x * sin + wobble[::-1] * 2.5
    edges = _draw_edges(rng, float(width + height))
    strip = np.searchsorted(edges, along)
    mask, ground = _sow(rng, strip, along, across)
    beside = np.minimum(along - edges[strip - 1], edges[strip] - along)
    _plant_hedges(rng, mask, ground, beside)
    _pour_water(rng, mask, ground, along, across)
    _pave_road(rng, mask, ground, along - edges[len(edges) // 2])
    return _sense(rng, ground, mask), mask


def _draw_edges(rng: np.random.Generator, reach: float) -> _Floats:
    """Return where strips of fields end, from before -`reach` to beyond it, 0 in their middle."""
    half = int(reach / 22) + 2
    widths = rng.uniform(22, 58, 2 * half)
    edges: _Floats = np.cumsum(widths)
    return np.asarray(edges - edges[half] + rng.uniform(-20, 20))


def _mix(one: _Floats, other: _Floats, share: Any) -> _Floats:
    """Blend two spectra (5,) by a share 0-1 (...) to (..., 5)."""
    return np.asarray(one + (other - one) * np.asarray(share, np.float32)[..., None])


def _sow(
    rng: np.random.Generator, strip: _Floats, along: _Floats, across: _Floats
) -> tuple[npt.NDArray[np.uint8], _Floats]:
    """Cut strips into fields; each bears a crop in rows, bare soil or wood.

    Returns:
        Mask (H, W) and reflectance (H, W, 5).
    """
    height, width = strip.shape
    count = int(strip.max()) + 1
    start, length = rng.uniform(0, 90, count), rng.uniform(35, 95, count)
    cell = np.floor((across + start[strip]) / length[strip]).astype(int) % _CELLS
    field = strip * _CELLS + cell
    fields = count * _CELLS
    kinds = rng.choice(np.array((CROP, SOIL, TREES), np.uint8), fields, p=(0.52, 0.33, 0.15))
    mask = kinds[field]
    grain = smooth_noise(rng, width, height, 2)
    patches = smooth_noise(rng, width, height, 14)
    dryness = rng.uniform(0.1, 0.9, fields)[field] + patches * 0.15 + grain * 0.06
    soil = _mix(_WET_SOIL, _DRY_SOIL, np.clip(dryness, 0, 1))
    # Rows of the crop run along the field or across it, 3 to 6 px apart.
    turned = (rng.random(fields) < 0.5)[field]
    phase = np.where(turned, along, across) / rng.uniform(3, 6, fields)[field]
    rows = np.abs(2 * (phase % 1) - 1)
    cover = rng.uniform(0.2, 1, fields)[field] * (0.25 + 0.9 * rows) + patches * 0.1
    bare = (mask != CROP)[..., None]
    ground = np.where(bare, soil, _mix(soil, _LEAVES, np.clip(cover, 0, 1)))
    wood = (mask == TREES)[..., None]
    return mask, np.where(wood, _grow_trees(rng, width, height), ground)


def _grow_trees(rng: np.random.Generator, width: int, height: int) -> _Floats:
    """Return crowns (H, W, 5): bright tops a few pixels wide, dark gaps between them."""
    crowns = smooth_noise(rng, width, height, 3) * 0.38 + smooth_noise(rng, width, height, 7) * 0.2
    leaves = _mix(_LEAVES, _DRY_SOIL, rng.uniform(0, 0.35))
    return np.asarray(leaves * (0.72 + crowns)[..., None].clip(0.15))


def _plant_hedges(
    rng: np.random.Generator, mask: npt.NDArray[np.uint8], ground: _Floats, beside: _Floats
) -> None:
    height, width = mask.shape
    hedge = (beside < rng.uniform(1.5, 3)) & (smooth_noise(rng, width, height, 25) > 0.15)
    mask[hedge] = TREES
    ground[hedge] = _grow_trees(rng, width, height)[hedge]


def _pour_water(
    rng: np.random.Generator,
    mask: npt.NDArray[np.uint8],
    ground: _Floats,
    along: _Floats,
    across: _Floats,
) -> None:
    """Let a river run across the strips, or fill a pond, in two pictures of three."""
    height, width = mask.shape
    chance, bends = rng.random(), smooth_noise(rng, width, height, 40)
    reach = 0.3 * min(width, height)
    shift, aside = rng.uniform(-reach, reach, 2)
    if chance < 0.4:
        wet = np.abs(across - shift + bends * 12) < rng.uniform(4, 9)
    elif chance < 0.67:
        distance = np.sqrt((across - shift) ** 2 + (along - aside) ** 2)
        wet = distance + bends * 7 < rng.uniform(11, 24)
    else:
        return
    mud = rng.uniform(0, 1) + bends * 0.12
    ripples = 1 + smooth_noise(rng, width, height, 2) * 0.05
    mask[wet] = WATER
    ground[wet] = (_mix(_CLEAR_WATER, _MUDDY_WATER, mud.clip(0, 1)) * ripples[..., None])[wet]


def _pave_road(
    rng: np.random.Generator, mask: npt.NDArray[np.uint8], ground: _Floats, off: _Floats
) -> None:
    """Lay a road 3 to 6 px wide between two strips, in four pictures of five.

    Args:
        rng: Source of every random number.
        mask: (H, W), changed.
        ground: (H, W, 5), changed.
        off: Distance (H, W) from the middle of the road.
    """
    height, width = mask.shape
    if rng.random() >= 0.8:
        return
    paved = np.abs(off) < rng.uniform(1.5, 3)
    worn = 1 + smooth_noise(rng, width, height, 4) * 0.05
    surface = _mix(_ASPHALT, _GRAVEL, rng.uniform(0, 1))
    mask[paved] = ROAD
    ground[paved] = (surface * worn[..., None])[paved]


def _sense(rng: np.random.Generator, ground: _Floats, mask: npt.NDArray[np.uint8]) -> Image:
    """Turn reflectance (H, W, 5) into digital numbers; mark in the mask what was not seen."""
    height, width = mask.shape
    haze = rng.uniform(0, 0.03) * np.array((1, 0.7, 0.45, 0.3, 0.15))
    season = rng.uniform(0.65, 1.25) * (1 + rng.uniform(-0.08, 0.08, BANDS))
    lit = 1 + smooth_noise(rng, width, height, 90) * rng.uniform(0, 0.15)
    soft = np.dstack([cv2.GaussianBlur(band, (3, 3), 0.5) for band in np.moveaxis(ground, -1, 0)])
    grain = rng.integers(-100, 101, soft.shape, np.int8) * rng.uniform(0.3, 1.0)
    numbers = (soft * season * lit[..., None] + haze) * 10_000 + grain
    image = np.clip(np.rint(numbers), 1, 20_000).astype(np.uint16)
    if rng.random() < 0.35:
        for _ in range(int(rng.integers(1, 5))):
            image[rng.integers(height), rng.integers(width)] = _SATURATED
    if rng.random() < 0.25:
        cos, sin = draw_direction(rng)
        edge = 0.5 * (abs(cos) * width + abs(sin) * height) * rng.uniform(0.5, 0.8)
        x, y = np.arange(width) - width / 2, (np.arange(height) - height / 2)[:, None]
        unseen = x * cos + y * sin > edge
        image[unseen] = NODATA
        mask[unseen] = CLASSES.ignore_index
    return image
