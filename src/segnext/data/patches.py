"""Cut pictures too large to train on into patches, by the grid and the names others use.

Patches start every `stride` pixels; the last of a row or column is shifted inwards to end at the
edge, and a picture smaller than a patch is filled up at the bottom and on the right. MMSegmentation
cuts by the same rule, so counts and names agree: 33,978 and 11,644 patches of iSAID, 3,456 and
2,016 of Potsdam, 344 and 398 of Vaihingen.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segnext.classes import Mask
from segnext.data.grid import Grid, Order, Patch
from segnext.data.headers import image_header
from segnext.data.images import read_image
from segnext.data.masks import MaskReader
from segnext.data.pairing import Item
from segnext.data.preparation import Task
from segnext.errors import DataError, UsageError

_NAME = re.compile(r"(.+)_(\d{1,7})_(\d{1,7})_(\d{1,7})_(\d{1,7})")


def cut(pixels: npt.NDArray[Any], patch: Patch, fill: int) -> npt.NDArray[Any]:
    """Return a patch of pixels (H, W) or (H, W, C); what lies beyond them gets the value `fill`."""
    part = pixels[patch.top : patch.bottom, patch.left : patch.right]
    if part.shape[:2] == (patch.height, patch.width):
        return part
    full = np.full((patch.height, patch.width, *pixels.shape[2:]), fill, pixels.dtype)
    full[: part.shape[0], : part.shape[1]] = part
    return full


def find_patches(names: Sequence[str]) -> list[tuple[str, Patch]] | None:
    """Understand the names of a split's patches.

    Args:
        names: Of all its pictures, without suffix.

    Returns:
        The name of the picture and the place for each; `None` if these are not names of patches.
        A single name may be read in either order; all together they fit one only.
    """
    matches = [_NAME.fullmatch(name) for name in names]
    if not matches or not all(matches):
        return None
    pictures = [
        (match[1], [int(part) for part in match.groups()[1:]]) for match in matches if match
    ]
    for order in ((0, 2, 1, 3), (1, 0, 3, 2)):
        patches = [Patch(*(numbers[place] for place in order)) for _, numbers in pictures]
        sizes = {(patch.height, patch.width) for patch in patches}
        if len(sizes) == 1 and min(next(iter(sizes))) > 0:
            return [(picture, patch) for (picture, _), patch in zip(pictures, patches, strict=True)]
    return None


@dataclass(frozen=True)
class Style:
    """How the files of patches are written.

    Attributes:
        order: How names tell the place.
        ending: Added to the names of masks.
        void: Value in masks of pixels that count for nothing, and of those beyond the picture.
    """

    order: Order
    ending: str = ""
    void: int = 255


def plan_cutting(
    items: Iterable[Item], reader: MaskReader, grid: Grid, style: Style, split: str
) -> list[Task]:
    """Plan the files that hold the patches of a split, laid out as MMSegmentation does.

    Patches of photos go to `img_dir/SPLIT`, those of masks as grey ids to `ann_dir/SPLIT`. One
    task writes all patches of a photo or a mask, its upper left one last, so that large pictures
    are decoded once.

    Args:
        items: Whole pictures.
        reader: Of their masks.
        grid: Where to cut.
        style: How files are written.
        split: Name of the split.
    """
    first = Patch(0, 0, grid.size, grid.size).describe(style.order)
    tasks = []
    for item in items:
        stem = item.name.rsplit("/", 1)[-1]
        photo, mask = f"img_dir/{split}/{stem}", f"ann_dir/{split}/{stem}"
        tasks.append(Task(f"{photo}_{first}.png", cut_photo, (item, grid, style, photo)))
        if item.mask_path is not None:
            output = f"{mask}_{first}{style.ending}.png"
            tasks.append(Task(output, cut_mask, (item, reader, grid, style, mask)))
    return tasks


def cut_photo(item: Item, grid: Grid, style: Style, start: str) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of each patch of a photo; the upper left one comes last.

    Args:
        item: The picture.
        grid: Where to cut.
        style: How files are written.
        start: Of the paths: folder and name of the picture.

    Raises:
        DataError: The picture is broken, or has more bands than a PNG holds.
    """
    image = read_image(item.image_path)
    if image.shape[2] not in (1, 3):
        msg = f"{item.image_path}: has {image.shape[2]} bands, but patches hold 1 or 3; use RGB"
        raise DataError(msg)
    for patch in _first_last(grid.plan(*image.shape[:2])):
        yield f"{start}_{patch.describe(style.order)}.png", encode_png(cut(image, patch, 0))


def cut_mask(
    item: Item, reader: MaskReader, grid: Grid, style: Style, start: str
) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of each patch of a mask, as raw ids; see `cut_photo`.

    Args:
        item: The picture, whose mask is read.
        reader: Of the mask.
        grid: Where to cut.
        style: How files are written.
        start: Of the paths: folder and name of the picture.

    Raises:
        DataError: The mask is broken, has an undeclared label, or another size than its photo.
    """
    mask = reader.read(item)
    header = image_header(item.image_path)
    if mask.shape != (header.height, header.width):
        msg = (
            f"{item.mask_path}: {mask.shape[1]}x{mask.shape[0]} pixels, but its image "
            f"{item.image_path} has {header.width}x{header.height}; download both again"
        )
        raise DataError(msg)
    raw: Mask = reader.classes.decode(mask)
    raw[mask == reader.classes.ignore_index] = style.void
    if int(raw.max(initial=style.void)) <= 255:
        raw = raw.astype(np.uint8)
    for patch in _first_last(grid.plan(*mask.shape)):
        name = f"{start}_{patch.describe(style.order)}{style.ending}.png"
        yield name, encode_png(cut(raw, patch, style.void))


def encode_png(pixels: npt.NDArray[Any]) -> bytes:
    """Return grey (H, W), (H, W, 1) or RGB (H, W, 3) pixels of 8 or 16 bit as a PNG file."""
    bgr = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    done, data = cv2.imencode(".png", np.ascontiguousarray(bgr))
    assert done
    return bytes(data)


def read_grid(patch: object, overlap: object) -> Grid:
    """Check the options `patch` and `overlap` of a preparation.

    Raises:
        UsageError: One is no whole number, or they do not fit together.
    """
    for name, value in (("patch", patch), ("overlap", overlap)):
        if not isinstance(value, int) or isinstance(value, bool):
            msg = f"{name}={value!r}: should be a whole number of pixels, such as 512"
            raise UsageError(msg)
    assert isinstance(patch, int)
    assert isinstance(overlap, int)
    return Grid.overlapping(patch, overlap)


def picture_of(name: str) -> str:
    """Return the picture that a patch was cut from, by its name; any other name stays itself."""
    match = _NAME.fullmatch(name)
    return match[1] if match else name


def _first_last(patches: list[Patch]) -> list[Patch]:
    return [*patches[1:], patches[0]]
