"""Where on the ground a GeoTIFF lies, so that tiles of two splits that overlap are noticed."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tifffile

_PIXEL_SCALE_TAG, _TIEPOINT_TAG, _TRANSFORM_TAG, _GEO_KEYS_TAG = 33550, 33922, 34264, 34735
# GeoTIFF 1.1 (OGC 19-008r4): keys of projected and of geographic coordinate systems.
_SYSTEM_KEYS = (3072, 2048)
# Neighbours share an edge, and rounding lets them share a sliver.
LEAST_OVERLAP = 0.01
_BAND = 256


@dataclass(frozen=True)
class Footprint:
    """A rectangle on the ground.

    Attributes:
        left: Least x, in the units of the coordinate system.
        bottom: Least y.
        right: Greatest x.
        top: Greatest y.
        system: EPSG code of the coordinate system; 0 where the file names none.
    """

    left: float
    bottom: float
    right: float
    top: float
    system: int


def read_footprint(data: bytes) -> Footprint | None:
    """Read where a GeoTIFF lies; `None` where it does not say so, or is turned on the ground.

    Args:
        data: The whole file.
    """
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages[0]
            tags = {
                code: [float(value) for value in np.ravel(tag.value)[:4096]]
                for code in (_PIXEL_SCALE_TAG, _TIEPOINT_TAG, _TRANSFORM_TAG, _GEO_KEYS_TAG)
                if (tag := page.tags.get(code)) is not None
            }
            width, height = int(page.imagewidth), int(page.imagelength)
    except Exception:  # tifffile raises about anything on hostile bytes
        return None
    placed = _place(tags)
    if placed is None:
        return None
    x, y, step_x, step_y = placed
    sides = (x, x + width * step_x), (y, y + height * step_y)
    (left, right), (bottom, top) = (sorted(pair) for pair in sides)
    if not all(map(math.isfinite, (left, right, bottom, top))) or left == right or bottom == top:
        return None
    return Footprint(left, bottom, right, top, _read_system(tags.get(_GEO_KEYS_TAG, ())))


def _place(tags: dict[int, list[float]]) -> tuple[float, float, float, float] | None:
    """Return x and y of the first pixel's corner, and what one pixel adds to them."""
    scale, tie = tags.get(_PIXEL_SCALE_TAG, ()), tags.get(_TIEPOINT_TAG, ())
    if len(scale) >= 2 and len(tie) >= 6:
        column, row, _, x, y = tie[:5]
        return x - column * scale[0], y + row * scale[1], scale[0], -scale[1]
    transform = tags.get(_TRANSFORM_TAG, ())
    if len(transform) < 8 or transform[1] or transform[4]:
        return None
    return transform[3], transform[7], transform[0], transform[5]


def _read_system(keys: Sequence[float]) -> int:
    # Entries are key, where the value lies, count, value; 0 means that it lies in the entry.
    stated = {
        int(keys[start]): int(keys[start + 3])
        for start in range(4, len(keys) - 3, 4)
        if keys[start + 1] == 0
    }
    return next((stated[key] for key in _SYSTEM_KEYS if key in stated), 0)


def find_overlaps(
    one: Sequence[Footprint], other: Sequence[Footprint]
) -> list[tuple[int, int, float]]:
    """Find the rectangles of the second sequence that lie partly in one of the first.

    Returns:
        For each of them: the position in the first sequence of the one that covers most of it,
        its own position, and the share 0 to 1 that is covered.
    """
    if not one or not other:
        return []
    first, second = _corners(one), _corners(other)
    found = []
    for start in range(0, len(second), _BAND):
        band = second[start : start + _BAND, None]
        low = np.maximum(band[..., :2], first[None, :, :2])
        high = np.minimum(band[..., 2:4], first[None, :, 2:4])
        common = (high - low).clip(min=0).prod(axis=-1)
        share = common / (band[..., 2:4] - band[..., :2]).prod(axis=-1)
        share[band[..., 4] != first[None, :, 4]] = 0
        best = share.argmax(axis=1)
        for row, partner in enumerate(best.tolist()):
            if share[row, partner] >= LEAST_OVERLAP:
                found.append((partner, start + row, float(share[row, partner])))
    return found


def _corners(footprints: Sequence[Footprint]) -> npt.NDArray[np.float64]:
    return np.array(
        [(part.left, part.bottom, part.right, part.top, part.system) for part in footprints]
    )
