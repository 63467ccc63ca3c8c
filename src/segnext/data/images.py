"""Read photos of any common kind as (H, W, C) arrays of 8 or 16 bit.

OpenCV decodes JPEG, PNG, WebP and BMP; tifffile decodes TIFF with any number of bands. Pixels
come upright: the EXIF orientation is applied here, the same way in all formats.
"""

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import tifffile

from segnext.data.headers import (
    ImageHeader,
    broken_picture,
    jpeg_is_complete,
    parse_header,
    read_picture_bytes,
)
from segnext.data.jpeg_limits import MOST_SCANS, has_too_many_scans
from segnext.data.png_limits import png_is_whole
from segnext.data.tiff_limits import tiff_is_whole, unfolds_too_far
from segnext.errors import DataError

Image = npt.NDArray[np.unsignedinteger[Any]]

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})


def read_image(path: Path, channels: int | None = None) -> Image:
    """Read a picture, upright, without alpha.

    Args:
        path: JPEG, PNG, WebP, BMP or TIFF; the content decides, not the suffix.
        channels: How many the caller needs. Grey is repeated to 3, RGB becomes its luma for 1.

    Returns:
        (H, W, C) uint8 or uint16, RGB order; TIFF keeps its bands in their order.

    Raises:
        DataError: The file is missing, empty, broken, too large, of an unknown kind, or has
            another number of channels.
    """
    data = read_picture_bytes(path)
    return decode_image(data, parse_header(data, path), path, channels)


def decode_image(
    data: bytes, header: ImageHeader, path: Path, channels: int | None = None
) -> Image:
    """Decode a picture that lies in memory; otherwise as `read_image`.

    Args:
        data: The whole file.
        header: Of the same bytes.
        path: For messages.
        channels: As in `read_image`.

    Raises:
        DataError: The picture is broken or has another number of channels.
    """
    image = _turn_upright(decode_picture(data, header, path), header.orientation)
    return image if channels is None else _fit_channels(image, channels, path)


def decode_picture(data: bytes, header: ImageHeader, path: Path) -> Image:
    """Decode a picture as stored, before the EXIF orientation.

    Args:
        data: The whole file.
        header: Of the same bytes.
        path: For messages.

    Returns:
        (H, W, C) uint8 or uint16.

    Raises:
        DataError: The picture is broken or packed in a way that cannot be read.
    """
    if header.format == "tiff":
        image = _decode_tiff(data, header, path)
    else:
        image = _decode_opencv(data, header, path)
    width, height = header.stored_size
    if image.shape != (height, width, header.channels):
        raise broken_picture(path)
    return image


def _decode_opencv(data: bytes, header: ImageHeader, path: Path) -> Image:
    # Some OpenCV versions fill the lost rest of a JPEG with grey and say nothing.
    if header.format == "jpeg" and not jpeg_is_complete(data):
        raise broken_picture(path)
    if header.format == "png" and not png_is_whole(data):
        raise broken_picture(path)
    if header.format == "jpeg" and has_too_many_scans(data):
        msg = f"{path}: a JPEG of more than {MOST_SCANS} scans; save it anew"
        raise DataError(msg)
    color = cv2.IMREAD_GRAYSCALE if header.channels == 1 else cv2.IMREAD_COLOR_RGB
    flags = color | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise broken_picture(path) from error
    if image is None:
        raise broken_picture(path)
    decoded: Image = image[..., None] if image.ndim == 2 else image
    return decoded


def _decode_tiff(data: bytes, header: ImageHeader, path: Path) -> Image:
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages[0]
            if not tiff_is_whole(page, len(data)):
                raise broken_picture(path)
            if unfolds_too_far(page, data):
                msg = f"{path}: its packed data unfold to more than its size says; save it anew"
                raise DataError(msg)
            if _needs_codec(page):
                return _decode_packed_tiff(data, header, page.compression.name, path)
            return _read_page(page)
    except DataError:
        raise
    except Exception as error:  # tifffile raises about anything on hostile bytes
        raise broken_picture(path) from error


def _read_page(page: tifffile.TiffPage) -> Image:
    values = page.asarray()
    if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
        colors: Image = (page.colormap >> 8).astype(np.uint8).T[values.astype(np.uint16)]
        return colors
    if values.dtype == np.bool_:
        values = values.astype(np.uint8) * 255
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        values = np.iinfo(values.dtype).max - values
    if values.ndim == 2:
        values = values[..., None]
    elif page.axes == "SYX":
        values = np.moveaxis(values, 0, -1)
    return np.ascontiguousarray(values)


def _needs_codec(page: tifffile.TiffPage) -> bool:
    try:
        tifffile.TIFF.DECOMPRESSORS[page.compression]
    except (KeyError, ValueError):  # without the imagecodecs package: LZW and JPEG, mostly
        return True
    return False


def _decode_packed_tiff(data: bytes, header: ImageHeader, packing: str, path: Path) -> Image:
    # OpenCV turns a TIFF upright whatever it is told, and mixes up the bands beyond three.
    if header.channels not in (1, 3) or header.stored_bits not in (8, 16) or header.orientation > 1:
        msg = (
            f"{path}: a TIFF packed with {packing} needs another package to be read: "
            f"pip install imagecodecs, or save it with deflate or no compression"
        )
        raise DataError(msg)
    return _decode_opencv(data, header, path)


def _turn_upright(image: Image, orientation: int) -> Image:
    if orientation in (2, 4, 5, 7):  # the mirrored half of the EXIF orientations
        image = image[:, ::-1]
    quarter_turns = {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: 3, 7: 3, 8: 1}[orientation]
    return np.ascontiguousarray(np.rot90(image, quarter_turns))


def _fit_channels(image: Image, channels: int, path: Path) -> Image:
    found = image.shape[2]
    if found == channels:
        return image
    if (found, channels) == (1, 3):
        return np.repeat(image, 3, axis=2)
    if (found, channels) == (3, 1):
        luma: Image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
        return luma
    msg = f"{path}: has {found} channels where {channels} are needed"
    raise DataError(msg)
