"""Picture headers: size, channels, depth and rotation, known before a pixel is decoded.

Every picture comes from a stranger. Headers are parsed here rather than by a decoder, so that a
bomb costs nothing, damaged EXIF cannot warn or raise, and all formats obey the same limits.
"""

import io
import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tifffile

from segnext.data.containers.paths import file_size, read_bytes
from segnext.data.tiff_limits import MOST_PAGES, walk_pages
from segnext.errors import DataError

MAX_PIXELS = 268_435_456
# Values are pixels times channels: a TIFF of few pixels may still declare 65,535 bands.
MAX_VALUES = 4 * MAX_PIXELS
MAX_FILE_BYTES = 4 << 30

_ORIENTATION_TAG = 0x0112
_PIXEL_SCALE_TAG, _GEO_KEYS_TAG, _NODATA_TAG = 33550, 34735, 42113
# GeoTIFF 1.1 (OGC 19-008r4): keys of the model type and of its unit, and what they must say.
_PROJECTED_METRES = {1024: 1, 3076: 9001}


@dataclass(frozen=True)
class ImageHeader:
    """What a picture file says about itself.

    Attributes:
        width: Pixels, after the EXIF orientation is applied.
        height: Pixels, after the EXIF orientation is applied.
        channels: Of the picture as `read_image` returns it, without alpha (TIFF keeps all bands).
        bits: 8 or 16, of the values that `read_image` returns.
        format: `jpeg`, `png`, `webp`, `bmp` or `tiff`.
        orientation: EXIF orientation, 1 (upright) to 8.
        stored_bits: Of one value in the file: 1 to 16.
        indexed: The file holds positions in a palette.
        nodata: Value of pixels that were never observed, where a GeoTIFF declares one.
        metres_per_pixel: Ground covered by a pixel's side, where a GeoTIFF in projected metres
            says it and its pixels are square.
    """

    width: int
    height: int
    channels: int
    bits: int
    format: str
    orientation: int = 1
    stored_bits: int = 8
    indexed: bool = False
    nodata: float | None = None
    metres_per_pixel: float | None = None

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height as stored, before the EXIF orientation."""
        turned = self.orientation >= 5
        return (self.height, self.width) if turned else (self.width, self.height)


def image_header(path: Path) -> ImageHeader:
    """Read the header of a picture.

    Args:
        path: JPEG, PNG, WebP, BMP or TIFF; the content decides, not the suffix.

    Raises:
        DataError: The file is missing, empty, broken, too large, or no picture.
    """
    return parse_header(read_picture_bytes(path), path)


def read_picture_bytes(path: Path) -> bytes:
    """Read a whole picture file.

    Raises:
        DataError: The file is missing, empty, unreadable or larger than 4 GiB.
    """
    try:
        size = file_size(path)
        if size > MAX_FILE_BYTES:
            msg = f"{path}: {size:,} bytes are more than a picture may have, {MAX_FILE_BYTES:,}"
            raise DataError(msg)
        data = read_bytes(path)
    except FileNotFoundError:
        msg = f"{path}: no such picture"
        raise DataError(msg) from None
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror or error})"
        raise DataError(msg) from None
    if not data:
        msg = f"{path}: the file is empty; copy the picture again or remove it"
        raise DataError(msg)
    return data


def parse_header(data: bytes, path: Path) -> ImageHeader:
    """Parse the header of a picture whose bytes are `data`.

    Raises:
        DataError: The bytes are broken, too large a picture, or no picture.
    """
    parse = next((parse for magic, parse in _PARSERS if _starts(data, magic)), None)
    if parse is None:
        msg = f"{path}: not a JPEG, PNG, WebP, BMP or TIFF picture"
        raise DataError(msg)
    try:
        header = parse(data)
    except DataError as error:
        msg = f"{path}: {error}"
        raise DataError(msg) from None
    except Exception as error:  # tifffile raises about anything on hostile bytes
        raise broken_picture(path) from error
    if min(header.width, header.height, header.channels) < 1:
        raise broken_picture(path)
    _check_size(header, path)
    width, height = header.stored_size
    return replace(header, width=width, height=height)


def broken_picture(path: Path) -> DataError:
    """Return the error for a picture that cannot be decoded."""
    return DataError(f"{path}: broken or truncated picture; copy it again or remove it")


def _check_size(header: ImageHeader, path: Path) -> None:
    pixels = header.width * header.height
    if pixels > MAX_PIXELS or pixels * header.channels > MAX_VALUES:
        msg = (
            f"{path}: {header.width:,} x {header.height:,} pixels x {header.channels} channels is "
            f"too large (at most {MAX_PIXELS:,} pixels, {MAX_VALUES:,} values); cut it into "
            f"tiles, or predict it with --map"
        )
        raise DataError(msg)


def _starts(data: bytes, magic: bytes) -> bool:
    if magic == b"WEBP":
        return data[:4] == b"RIFF" and data[8:12] == magic
    return data.startswith(magic)


def jpeg_is_complete(data: bytes) -> bool:
    """Say whether a JPEG has its end marker, which cannot occur within the pixels' bytes."""
    try:
        pixels = next(start for marker, start, _ in _jpeg_segments(data) if marker == 0xFFDA)
    except (struct.error, ValueError):
        return False
    return data.rfind(b"\xff\xd9", pixels) >= 0


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield marker, position and body of each segment up to the first pixels."""
    position = 2
    while True:
        marker, length = struct.unpack_from(">HH", data, position)
        if marker == 0xFFFF:  # padding before a marker
            position += 1
            continue
        if not 0xFFC0 <= marker <= 0xFFFE or length < 2:
            msg = f"{marker:#x} is no JPEG segment"
            raise ValueError(msg)
        yield marker, position, data[position + 4 : position + 2 + length]
        position += 2 + length


def _parse_jpeg(data: bytes) -> ImageHeader:
    orientation = 1
    for marker, _, body in _jpeg_segments(data):
        if marker == 0xFFE1 and body.startswith(b"Exif\0\0"):
            orientation = _exif_orientation(body)
        if 0xFFC0 <= marker <= 0xFFCF and marker not in (0xFFC4, 0xFFC8, 0xFFCC):
            _, height, width, components = struct.unpack_from(">BHHB", body)
            return ImageHeader(width, height, min(components, 3), 8, "jpeg", orientation)
    msg = "a JPEG without a frame header"
    raise ValueError(msg)


def _parse_png(data: bytes) -> ImageHeader:
    width, height, bits, color_type = struct.unpack_from(">IIBB", data, 16)
    orientation = 1
    position = 8
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"eXIf":
            orientation = _exif_orientation(data[position + 8 : position + 8 + length])
        position += 12 + length
    channels = 1 if color_type in (0, 4) else 3
    depth = 16 if bits == 16 else 8
    return ImageHeader(
        width, height, channels, depth, "png", orientation, bits, indexed=color_type == 3
    )


def _parse_webp(data: bytes) -> ImageHeader:
    kind = data[12:16]
    if kind == b"VP8X":
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
    elif kind == b"VP8L":
        (packed,) = struct.unpack_from("<I", data, 21)
        width, height = 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
    else:
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    orientation = 1
    position = 12
    while position + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, position)
        if name == b"EXIF":
            orientation = _exif_orientation(data[position + 8 : position + 8 + length])
        position += 8 + length + length % 2
    return ImageHeader(width, height, 3, 8, "webp", orientation)


def _parse_bmp(data: bytes) -> ImageHeader:
    (header_size,) = struct.unpack_from("<I", data, 14)
    old = header_size == 12
    width, height, _, bits = struct.unpack_from("<HHHH" if old else "<iiHH", data, 18)
    colors = b"" if bits > 8 or old else data[14 + header_size : 14 + header_size + (4 << bits)]
    palette = np.frombuffer(colors[: len(colors) // 4 * 4], np.uint8).reshape(-1, 4)
    grey = len(palette) > 0 and bool((palette[:, :1] == palette[:, 1:3]).all())
    # A negative height means rows from top to bottom.
    return ImageHeader(width, abs(height), 1 if grey else 3, 8, "bmp")


def _parse_tiff(data: bytes) -> ImageHeader:
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        full_pages = 0
        for count, other in enumerate(walk_pages(file), start=1):
            full_pages += count == 1 or not (other.is_reduced or other.is_mask)
            if count > MOST_PAGES:
                msg = f"a TIFF of more than {MOST_PAGES} pages; store one picture"
                raise DataError(msg)
        orientation_tag = page.tags.get(_ORIENTATION_TAG)
        orientation = int(orientation_tag.value) if orientation_tag else 1
        indexed = page.photometric == tifffile.PHOTOMETRIC.PALETTE
        sizes = dict(zip(page.axes, map(int, page.shape), strict=True))
        dtype, stored_bits = page.dtype, int(page.bitspersample)
        # Other values are not kept as they are stored: white 0 is turned, bits are stretched.
        kept = page.photometric != tifffile.PHOTOMETRIC.MINISWHITE and stored_bits >= 8
        nodata = _read_nodata(page) if kept and not indexed else None
        metres_per_pixel = _read_metres_per_pixel(page)
    if full_pages > 1:
        msg = f"a TIFF of {full_pages} pages; store one picture, with all bands in one page"
        raise DataError(msg)
    plain = dtype in (np.bool_, np.uint8, np.uint16) and (indexed or stored_bits in (1, 8, 16))
    if not plain or not set(sizes) <= set("YXS"):
        msg = f"a TIFF of {stored_bits}-bit {dtype} values; convert it to unsigned 8 or 16 bit"
        raise DataError(msg)
    return ImageHeader(
        width=sizes["X"],
        height=sizes["Y"],
        channels=3 if indexed else sizes.get("S", 1),
        bits=16 if dtype == np.uint16 and not indexed else 8,
        format="tiff",
        orientation=orientation if 1 <= orientation <= 8 else 1,
        stored_bits=stored_bits,
        indexed=indexed,
        nodata=nodata,
        metres_per_pixel=metres_per_pixel,
    )


def _read_nodata(page: tifffile.TiffPage) -> float | None:
    """Read GDAL's tag, a number as text; `None` where it is absent or no finite number."""
    tag = page.tags.get(_NODATA_TAG)
    try:
        value = float(str(tag.value).strip("\0 ")) if tag and tag.count <= 64 else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _read_metres_per_pixel(page: tifffile.TiffPage) -> float | None:
    """Read the scale of a GeoTIFF; `None` where it is absent, damaged or not in metres."""
    scale, keys = page.tags.get(_PIXEL_SCALE_TAG), page.tags.get(_GEO_KEYS_TAG)
    try:
        entries = np.ravel(keys.value)[4:].reshape(-1, 4).tolist() if keys else []
        width, height = (float(side) for side in scale.value[:2]) if scale else (0.0, 0.0)
    except (TypeError, ValueError, OverflowError):
        return None
    # Entries are key, where the value lies, count, value; 0 means that it lies in the entry.
    stated = {key: value for key, place, _, value in entries if place == 0}
    in_metres = all(stated.get(key) == value for key, value in _PROJECTED_METRES.items())
    square = 0 < width < math.inf and math.isclose(width, height, rel_tol=0.01)
    return width if in_metres and square else None


def _exif_orientation(exif: bytes) -> int:
    """Find the orientation in EXIF bytes; 1 where there is none or they are damaged."""
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(exif[:2], "")
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", exif, entry)
            if order and tag == _ORIENTATION_TAG:
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


_PARSERS: tuple[tuple[bytes, Callable[[bytes], ImageHeader]], ...] = (
    (b"\xff\xd8\xff", _parse_jpeg),
    (b"\x89PNG\r\n\x1a\n", _parse_png),
    (b"WEBP", _parse_webp),
    (b"BM", _parse_bmp),
    (b"II*\0", _parse_tiff),
    (b"MM\0*", _parse_tiff),
    (b"II+\0", _parse_tiff),
    (b"MM\0+", _parse_tiff),
)
