"""One predicted mask as the picture that a server wants, and such a picture checked."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from segnext.classes import Classes, Mask
from segnext.data.datasets.voc_colors import voc_colors
from segnext.data.headers import ImageHeader, image_header, parse_header
from segnext.data.masks import decode_stored, pack_colors, read_stored
from segnext.data.taxonomy import describe_color
from segnext.errors import DataError
from segnext.submissions.servers import Encoding, Server

_KINDS = {
    "grey": "an 8-bit grey PNG",
    "indexed": "an 8-bit PNG with a palette",
    "color": "an 8-bit RGB TIFF",
}


# The devkit gives no other meaning to them: classes are 0 to 20, and 255 is void.
VOC_PALETTE = np.array(voc_colors(256), np.uint8)


@dataclass(frozen=True)
class Picture:
    """A picture whose mask is wanted.

    Attributes:
        name: By which the server knows it.
        path: Where it lies.
        width: In pixels.
        height: In pixels.
    """

    name: str
    path: Path
    width: int
    height: int


def measure_picture(name: str, path: Path, server: Server) -> Picture:
    """Read the size of a picture, and refuse one that was resized where the server knows better.

    Raises:
        DataError: It cannot be read, or has not the only size that the server takes.
    """
    header = image_header(path)
    size, wanted = (header.width, header.height), server.size
    if wanted is not None and size != wanted:
        msg = (
            f"{path}: {size[0]}x{size[1]} pixels, but the server of {server.dataset} wants "
            f"{wanted[0]}x{wanted[1]}; give the pictures as they were published"
        )
        raise DataError(msg)
    return Picture(name, path, *size)


@dataclass(frozen=True)
class PictureRules:
    """How the masks of one submission must look.

    Attributes:
        server: What it wants.
        classes: Of the data set.
    """

    server: Server
    classes: Classes

    def encode(self, path: Path, picture: Picture) -> bytes:
        """Turn a predicted mask into the file for the server.

        Args:
            path: PNG of train ids, as `segnext predict` writes it.
            picture: The picture that it was predicted from.

        Raises:
            DataError: It holds no train ids, a wrong one, or is not of the picture's size.
        """
        kind, pixels = read_stored(path)
        if kind not in ("palette", "ids") or pixels.dtype != np.uint8:
            msg = f"{path}: holds no ids of 8 bit; give the masks that segnext predict writes"
            raise DataError(msg)
        mask = np.ascontiguousarray(pixels[..., 0])
        _check_size(path, (mask.shape[1], mask.shape[0]), picture)
        last = self.classes.num_labels - 1
        wrong = mask[mask > last]
        if wrong.size:
            msg = (
                f"{path}: {wrong.size:,} pixels hold {wrong[0]}, but train ids run from 0 to "
                f"{last} ({self.classes.label_names[last]}); give the masks that segnext predict "
                f"writes"
            )
            raise DataError(msg)
        return encode_ids(mask, self.classes, self.server.encoding)

    def check(self, data: bytes, picture: Picture, where: Path) -> None:
        """Refuse a file of a submission that the server would refuse or misread.

        Args:
            data: The whole file.
            picture: The picture that it is of.
            where: For messages.

        Raises:
            DataError: It is no picture of the right kind and size, or holds a wrong id or colour.
        """
        header, encoding = parse_header(data, where), self.server.encoding
        if not _is_kind(header, encoding):
            msg = f"{where}: should be {_KINDS[encoding]}; pack the predictions again"
            raise DataError(msg)
        # Before anything is decoded, so that a bomb costs nothing.
        _check_size(where, header.stored_size, picture)
        pixels = decode_stored(data, where)[1]
        if encoding == "color":
            self._check_colors(pixels, where)
        else:
            self._check_ids(pixels[..., 0], where)
        if encoding == "indexed" and not _has_palette(data, self.classes):
            msg = f"{where}: its palette is not that of VOC; pack the predictions again"
            raise DataError(msg)

    def _check_ids(self, ids: npt.NDArray[np.uint8], where: Path) -> None:
        allowed = self.classes.submission
        wrong = ids[~np.isin(ids, allowed)]
        if wrong.size:
            known = dict(self.classes.raw_to_train).get(int(wrong[0]), 0) is None
            also = ", which is void" if known or wrong[0] == self.classes.ignore_index else ""
            msg = (
                f"{where}: {wrong.size:,} pixels hold {wrong[0]}{also}, but the server of "
                f"{self.server.dataset} takes {describe_ids(allowed)}; pack the masks that segnext "
                f"predict writes"
            )
            raise DataError(msg)

    def _check_colors(self, pixels: npt.NDArray[np.uint8], where: Path) -> None:
        packed = pack_colors(pixels)
        allowed = pack_colors(np.array(self.classes.label_colors, np.uint8))
        wrong = pixels[~np.isin(packed, allowed)]
        if len(wrong):
            red, green, blue = (int(value) for value in wrong[0])
            msg = (
                f"{where}: {len(wrong):,} pixels have {describe_color((red, green, blue))}, the "
                f"colour of no class of {self.server.dataset}; pack the masks that segnext predict "
                f"writes"
            )
            raise DataError(msg)


def largest_file(picture: Picture) -> int:
    """Return the bytes that no honest mask of a picture exceeds: 32 bits a pixel, and some."""
    return 4 * picture.width * picture.height + 65536


def encode_ids(mask: Mask, classes: Classes, encoding: Encoding) -> bytes:
    """Write train ids (H, W) as the picture of submission ids, or of colours, that is wanted."""
    content = io.BytesIO()
    if encoding == "color":
        colors = np.array(classes.label_colors, np.uint8)[mask]
        Image.fromarray(colors).save(content, format="TIFF", compression="tiff_lzw")
        return content.getvalue()
    page = Image.fromarray(classes.submit(mask))
    if encoding == "indexed":
        page.putpalette(VOC_PALETTE.tobytes())
    page.save(content, format="PNG")
    return content.getvalue()


def describe_ids(ids: tuple[int, ...]) -> str:
    """Name ids in a few words: `1 to 150`, or one by one where some between are missing."""
    found = sorted(set(ids))
    if found == list(range(found[0], found[-1] + 1)):
        return f"{found[0]} to {found[-1]}"
    return ", ".join(map(str, found))


def _check_size(where: Path, size: tuple[int, int], picture: Picture) -> None:
    if size != (picture.width, picture.height):
        msg = (
            f"{where}: {size[0]}x{size[1]} pixels, but its picture {picture.path} has "
            f"{picture.width}x{picture.height}; predict that picture"
        )
        raise DataError(msg)


def _is_kind(header: ImageHeader, encoding: Encoding) -> bool:
    if encoding == "color":
        found = header.format == "tiff" and header.channels == 3 and not header.indexed
    else:
        indexed = encoding == "indexed"
        found = header.format == "png" and header.indexed == indexed
        found = found and (indexed or header.channels == 1)
    return found and header.bits == 8 and header.stored_bits == 8 and header.orientation == 1


def _has_palette(data: bytes, classes: Classes) -> bool:
    with PngImageFile(io.BytesIO(data)) as picture:
        palette = bytes(picture.getpalette() or ())
    needed = 3 * (max(classes.submission) + 1)
    return palette[:needed] == VOC_PALETTE.tobytes()[:needed]
