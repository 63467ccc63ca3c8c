"""Read `trainval_merged.json` of PASCAL in Detail, which many take Pascal Context from.

    images              image_id, file_name, height, width, phase (train, val or test)
    annos_segmentation  image_id, category_id (of the 459), segmentation (COCO's run lengths)
    categories          category_id, name

An area covers those that are listed before it. The file is large, and is parsed once a process.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segnext.classes import Classes, Mask
from segnext.data.datasets.mat_masks import RawIds
from segnext.data.formats.coco_rle import read_runs
from segnext.data.formats.json_files import read_json
from segnext.data.headers import MAX_PIXELS
from segnext.data.pairing import Item
from segnext.data.patches import encode_png
from segnext.data.shapes import Shape, paint
from segnext.errors import DataError


@dataclass(frozen=True)
class DetailPicture:
    """The labels of one picture, as the file holds them.

    Attributes:
        name: Of the picture, without suffix.
        phase: Its split.
        height: In pixels.
        width: In pixels.
        areas: Category and packed run lengths, in the order of painting.
    """

    name: str
    phase: str
    height: int
    width: int
    areas: tuple[tuple[int, Mapping[str, Any]], ...]


@functools.lru_cache(maxsize=1)
def read_detail(path: Path) -> dict[str, DetailPicture]:
    """Read every picture, by its name.

    Raises:
        DataError: The file is missing, broken, or another JSON.
    """
    content = read_json(path)
    try:
        known = {int(category["category_id"]) for category in content["categories"]}
        areas: dict[int, list[tuple[int, Mapping[str, Any]]]] = {
            int(image["image_id"]): [] for image in content["images"]
        }
        for area in content["annos_segmentation"]:
            category = int(area["category_id"])
            if category not in known:
                msg = f"{path}: category {category} of image {area['image_id']} is not declared"
                raise DataError(msg)
            areas[int(area["image_id"])].append((category, dict(area["segmentation"])))
        pictures = [_read_picture(image, areas, path) for image in content["images"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, DataError):
            raise
        msg = (
            f"{path}: is no trainval_merged.json of PASCAL in Detail, with images, categories and "
            f"annos_segmentation ({type(error).__name__}: {error}); download it again"
        )
        raise DataError(msg) from None
    return {picture.name: picture for picture in pictures}


def _read_picture(
    image: Mapping[str, Any],
    areas: Mapping[int, list[tuple[int, Mapping[str, Any]]]],
    path: Path,
) -> DetailPicture:
    name, height, width = str(image["file_name"]), int(image["height"]), int(image["width"])
    if min(height, width) < 1 or height * width > MAX_PIXELS:
        msg = f"{path}: the picture {name} is said to have {width} x {height} pixels"
        raise DataError(msg)
    stem = name.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0]
    found = tuple(areas[int(image["image_id"])])
    return DetailPicture(stem, str(image["phase"]), height, width, found)


def paint_picture(picture: DetailPicture, raw_ids: RawIds, path: Path) -> npt.NDArray[np.uint16]:
    """Paint the labels of a picture as raw ids (H, W); 0 where there is none.

    Args:
        picture: From `read_detail`.
        raw_ids: Category and raw id, of all that have one; the others become 0.
        path: The file, for messages.

    Raises:
        DataError: Its run lengths are broken, or of another size.
    """
    table = dict(raw_ids)
    try:
        shapes = [
            Shape(table.get(category, 0), read_runs(area, picture.height, picture.width))
            for category, area in picture.areas
        ]
        return paint(shapes, picture.height, picture.width, 0)
    except DataError as error:
        msg = f"{path}: {error}, for the picture {picture.name}"
        raise DataError(msg) from None


def convert_picture(picture: DetailPicture, raw_ids: RawIds, path: Path) -> bytes:
    """Return the labels of a picture as PNG of raw ids; see `paint_picture`."""
    return encode_png(paint_picture(picture, raw_ids, path).astype(np.uint8))


@dataclass(frozen=True)
class DetailMasks:
    """Paints masks from the file when they are asked for.

    Attributes:
        classes: Names, colours and raw ids.
        path: The file.
        raw_ids: Category and raw id, of all that have one; the others become 0.
    """

    classes: Classes
    path: Path
    raw_ids: RawIds

    def with_classes(self, classes: Classes) -> "DetailMasks":
        """Return the same reader by another label map; see `MaskReader`."""
        return replace(self, classes=classes)

    def read(self, item: Item) -> Mask:
        """Paint the mask of an item; see `MaskReader`."""
        picture = read_detail(self.path)[item.name]
        return self.classes.encode(paint_picture(picture, self.raw_ids, self.path), str(self.path))
