"""Whole pictures put together again from their patches, so that each pixel is scored once.

Patches overlap, and a score over patches counts what lies in several of them several times. Where
patches carry their place in their names (see `segnext.data.patches`), the photo and its mask come
back exactly, and are then evaluated like any whole picture, in windows that overlap as the
protocol says. Nothing of the network's output has to be kept or joined.
"""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from segnext.data.grid import Patch
from segnext.data.headers import MAX_PIXELS
from segnext.data.pairing import Item
from segnext.data.patches import find_patches
from segnext.errors import DataError


class PatchSource(Protocol):
    """A split whose pictures are patches."""

    @property
    def items(self) -> tuple[Item, ...]:
        """Where each patch lies."""

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return `image` (H, W, C) and `mask` (H, W) of a patch."""

    def path(self, index: int) -> Path:
        """Return where the image of a patch lies."""


@dataclass(frozen=True)
class _Picture:
    """A picture with its patches: number in the split and place of each."""

    name: str
    patches: tuple[tuple[int, Patch], ...]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, those of the patch for pictures smaller than one."""
        patches = [patch for _, patch in self.patches]
        return max(patch.bottom for patch in patches), max(patch.right for patch in patches)


@dataclass(frozen=True)
class StitchedPictures:
    """Whole pictures of a split of patches; what `segnext evaluate --stitch` scores.

    Attributes:
        source: The patches.
        pictures: Made by `stitch_patches`.
    """

    source: PatchSource
    pictures: tuple[_Picture, ...]

    def __len__(self) -> int:
        """Return the number of whole pictures."""
        return len(self.pictures)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return `image` (H, W, C), `mask` (H, W) of train ids and `name` of a whole picture.

        Raises:
            DataError: A patch is broken, has another size than its name says, or another kind of
                pixels than its neighbours.
        """
        picture = self.pictures[index]
        height, width = picture.size
        image = mask = np.empty(0)
        for number, patch in picture.patches:
            item = self.source[number]
            if item["mask"].shape != (patch.height, patch.width):
                rows, columns = item["mask"].shape
                msg = (
                    f"{self.source.path(number)}: {columns}x{rows} pixels, but its name says "
                    f"{patch.width}x{patch.height}; cut the patches again"
                )
                raise DataError(msg)
            if not image.size:
                image = np.zeros((height, width, item["image"].shape[2]), item["image"].dtype)
                mask = np.zeros((height, width), item["mask"].dtype)
            if item["image"].dtype != image.dtype:
                msg = f"{self.source.path(number)}: not of as many bits as the other patches"
                raise DataError(msg)
            _paste(image, item["image"], patch)
            _paste(mask, item["mask"], patch)
        return {"image": image, "mask": mask, "name": picture.name}

    def path(self, index: int) -> Path:
        """Return where the first patch of a picture lies."""
        return self.source.path(self.pictures[index].patches[0][0])


def stitch_patches(source: PatchSource) -> StitchedPictures:
    """Group the patches of a split by picture.

    Raises:
        DataError: The split holds no patches, or some of a picture are missing.
    """
    names = [item.name.rsplit("/", 1)[-1] for item in source.items]
    found = find_patches(names)
    if found is None:
        first = names[0] if names else "no picture"
        msg = (
            f"these pictures are no patches to stitch, such as {first}; names should end with the "
            f"place, as P0003_0_896_0_896 does; leave --stitch out for whole pictures"
        )
        raise DataError(msg)
    groups: dict[str, list[tuple[int, Patch]]] = defaultdict(list)
    for number, (item, (picture, patch)) in enumerate(zip(source.items, found, strict=True)):
        folder = item.name.rpartition("/")[0]
        groups[f"{folder}/{picture}" if folder else picture].append((number, patch))
    pictures = tuple(_Picture(name, tuple(patches)) for name, patches in sorted(groups.items()))
    for whole in pictures:
        _check_complete(whole)
    return StitchedPictures(source, pictures)


def _check_complete(picture: _Picture) -> None:
    height, width = picture.size
    if height * width > MAX_PIXELS:
        msg = f"{picture.name}: its patches make {width}x{height} pixels, above {MAX_PIXELS:,}"
        raise DataError(msg)
    places = {(patch.top, patch.left) for _, patch in picture.patches}
    tops, lefts = sorted({top for top, _ in places}), sorted({left for _, left in places})
    side = picture.patches[0][1]
    gaps = _has_gap(tops, side.height) or _has_gap(lefts, side.width)
    if gaps or len(places) < len(tops) * len(lefts):
        msg = (
            f"{picture.name}: its {len(places)} patches do not cover the picture; cut the patches "
            f"again, or copy the missing ones"
        )
        raise DataError(msg)


def _has_gap(starts: list[int], size: int) -> bool:
    ends = [0, *(start + size for start in starts)]
    return any(start > end for start, end in zip(starts, ends, strict=False))


def _paste(whole: npt.NDArray[Any], part: npt.NDArray[Any], patch: Patch) -> None:
    whole[patch.top : patch.bottom, patch.left : patch.right] = part
