"""Read masks of three kinds as train ids: grey ids, palette indices, colours.

Which kind a data set has is seen from its files, once, and said; from then on a mask of another
kind, an undeclared value or an undeclared colour stops the reading with its file and value.
"""

import functools
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import tifffile
from PIL.PngImagePlugin import PngImageFile

from segnext.classes import Classes, Color, Mask
from segnext.data.headers import ImageHeader, broken_picture, parse_header, read_picture_bytes
from segnext.data.images import Image, decode_picture
from segnext.data.pairing import Item
from segnext.data.png_limits import png_is_whole
from segnext.data.taxonomy import Taxonomy, describe_color
from segnext.data.tiff_limits import tiff_is_whole, unfolds_too_far
from segnext.errors import DataError

Kind = Literal["ids", "palette", "grey", "color"]
"""One file: grey values, palette indices, RGB with r = g = b throughout, or other RGB."""


class MaskReader(Protocol):
    """Gives the mask of an item, whatever it is made from; small enough to send to workers."""

    @property
    def classes(self) -> Classes:
        """What the train ids mean."""

    def with_classes(self, classes: Classes) -> "MaskReader":
        """Return the same reader by another label map, such as one with merged classes.

        Args:
            classes: Made from this reader's own by `merge`, `drop`, `with_ignored` and the like.
        """

    def read(self, item: Item) -> Mask:
        """Read the mask (H, W) of an item that has one, as train ids.

        Raises:
            DataError: It is broken, or holds a label nobody declared.
        """


@dataclass(frozen=True)
class FileMasks:
    """Masks that are pictures: each file holds ids, or colours that stand for them.

    Attributes:
        kind: `ids` for grey values and palette indices, `color` for colours.
        taxonomy: What the values or colours mean.
    """

    kind: Literal["ids", "color"]
    taxonomy: Taxonomy

    @property
    def classes(self) -> Classes:
        """Names, colours and raw ids."""
        return self.taxonomy.classes

    def with_classes(self, classes: Classes) -> "FileMasks":
        """Return the same reader by another label map; see `MaskReader`."""
        palette = self.taxonomy.palette or self.classes.label_colors
        return replace(self, taxonomy=replace(self.taxonomy, classes=classes, palette=palette))

    def read(self, item: Item) -> Mask:
        """Read the mask of an item; see `MaskReader`."""
        assert item.mask_path is not None
        return self.read_file(item.mask_path)

    def read_file(self, path: Path) -> Mask:
        """Read a mask (H, W) of train ids, as stored: EXIF orientation is not applied.

        Raises:
            DataError: The file is no mask of this kind, or holds an undeclared value or colour.
        """
        kind, pixels = read_stored(path)
        if self.kind == "ids":
            if kind == "color":
                msg = f"{path}: is a colour mask, but others of the data set hold ids; convert it"
                raise DataError(msg)
            return self.classes.encode(np.ascontiguousarray(pixels[..., 0]), str(path))
        if pixels.shape[2] != 3:
            msg = f"{path}: holds ids, but others of the data set are colour masks; convert it"
            raise DataError(msg)
        return self.classes.encode(self._positions(pixels, path), str(path))

    def _positions(self, pixels: Image, path: Path) -> npt.NDArray[np.uint16]:
        """Return per pixel the position of its colour among the labels' colours."""
        known, positions = self._color_table
        packed = pack_colors(pixels)
        slots = np.searchsorted(known, packed).clip(max=len(known) - 1)
        strange = known[slots] != packed
        if strange.any():
            raise self._undeclared(packed[strange], path)
        raw: npt.NDArray[np.uint16] = positions[slots]
        return raw

    @functools.cached_property
    def _color_table(self) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint16]]:
        """Declared colours, packed and sorted, with the raw id that each stands for."""
        palette = self.taxonomy.palette or self.classes.label_colors
        colors = [*palette, *self.taxonomy.void_colors]
        void = [self.classes.ignore_index] * len(self.taxonomy.void_colors)
        positions = np.array([*range(len(palette)), *void], np.uint16)
        packed = pack_colors(np.array(colors, np.uint8))
        order = np.argsort(packed, kind="stable")
        return packed[order], positions[order]

    def _undeclared(self, strange: npt.NDArray[np.uint32], path: Path) -> DataError:
        values, counts = np.unique(strange, return_counts=True)
        most = int(np.argmax(counts))
        others = f" and {len(values) - 1} other colours" if len(values) > 1 else ""
        return DataError(
            f"{path}: {int(counts[most]):,} pixels have the colour "
            f"{describe_color(unpack_color(int(values[most])))}{others}, which no class has; "
            f"declare it in {self.taxonomy.source}, named void if it does not count"
        )


def read_stored(path: Path) -> tuple[Kind, Image]:
    """Read a mask as stored, before anything is known about its classes.

    Returns:
        The kind of the file, and its values: (H, W, 1) ids or (H, W, 3) RGB.

    Raises:
        DataError: The file is no readable mask.
    """
    return decode_stored(read_picture_bytes(path), path)


def decode_stored(data: bytes, path: Path) -> tuple[Kind, Image]:
    """Decode the bytes of a mask; see `read_stored`.

    Args:
        data: The whole file.
        path: For messages.

    Raises:
        DataError: The bytes are no readable mask.
    """
    header = parse_header(data, path)
    if header.format == "jpeg":
        msg = f"{path}: JPEG changes label values; save masks as PNG"
        raise DataError(msg)
    if header.indexed:
        return "palette", _decode_indices(data, header, path)[..., None]
    pixels = decode_picture(data, header, path)
    if header.channels > 4:
        msg = f"{path}: has {header.channels} bands; a mask has one, or three of colour"
        raise DataError(msg)
    if header.channels < 3:
        full = (1 << header.stored_bits) - 1
        # Decoders stretch 1, 2 and 4 bit values to 0..255; ids must come back as they were.
        return "ids", pixels[..., :1] // (255 // full if header.stored_bits < 8 else 1)
    rgb = np.ascontiguousarray(pixels[..., :3])
    if (rgb[..., :1] == rgb[..., 1:]).all():
        return "grey", rgb
    if rgb.dtype != np.uint8:
        msg = f"{path}: is a colour mask of 16 bit; colours of classes have 8 bit a channel"
        raise DataError(msg)
    return "color", rgb


def _decode_indices(data: bytes, header: ImageHeader, path: Path) -> npt.NDArray[Any]:
    try:
        if header.format == "png":
            if not png_is_whole(data):
                raise broken_picture(path)
            # Not Image.open: it warns about large pictures, whose size was checked before.
            with PngImageFile(io.BytesIO(data)) as picture:
                return np.array(picture)
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages[0]
            if not tiff_is_whole(page, len(data)) or unfolds_too_far(page, data):
                raise broken_picture(path)
            return np.asarray(page.asarray())
    except Exception as error:  # decoders raise about anything on hostile bytes
        raise broken_picture(path) from error


def pack_colors(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint32]:
    """Pack RGB colours (..., 3) into 24 bits each."""
    red, green, blue = np.moveaxis(pixels.astype(np.uint32), -1, 0)
    packed: npt.NDArray[np.uint32] = red << 16 | green << 8 | blue
    return packed


def unpack_color(packed: int) -> Color:
    """Return the RGB colour that `pack_colors` packed."""
    return packed >> 16, packed >> 8 & 255, packed & 255
