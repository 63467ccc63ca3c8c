"""TIFF files within bounds: few pages, and packed data that cannot outgrow the picture.

A TIFF may hold a million pages in its chain, and a packed strip may unfold to a thousand times its
size whatever the header declares. Decoders notice either too late.
"""

import io
import zlib
from collections.abc import Iterator

import tifffile

from segnext.serve.refusals import RefusalError

MOST_PAGES = 16
_MOST_STRIPS = 65_536
_MOST_BANDS = 64
_PLAIN = 1
_DEFLATE = (8, 32946)


def check_tiff(data: bytes, *, max_pixels: int) -> None:
    """Refuse a TIFF that would cost more than its header says.

    Args:
        data: The whole file.
        max_pixels: Most that are decoded.

    Raises:
        RefusalError: 415 for a packing that is not bounded here, 413 for a file that unfolds too
            far, 400 for a broken one.
    """
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            _check_pages(file)
            page = file.pages.first
            width, height = int(page.imagewidth), int(page.imagelength)
            if width * height > max_pixels:
                msg = (
                    f"picture: {width} x {height} is {width * height:,} pixels, this server takes "
                    f"{max_pixels:,}; make it smaller"
                )
                raise RefusalError(413, msg)
            _check_strips(page, data)
    except RefusalError:
        raise
    except Exception:  # tifffile raises about anything on hostile bytes
        msg = "picture: broken or truncated picture; copy it again or remove it"
        raise RefusalError(400, msg) from None


def _check_pages(file: tifffile.TiffFile) -> None:
    for count, _ in enumerate(_walk(file), start=1):
        if count > MOST_PAGES:
            msg = f"picture: a TIFF of more than {MOST_PAGES} pages; store one picture"
            raise RefusalError(415, msg)


def _walk(file: tifffile.TiffFile) -> Iterator[object]:
    """Go down the chain page by page: asking for all of them at once has no bound."""
    index = 0
    while True:
        try:
            yield file.pages[index]
        except IndexError:
            return
        index += 1


def _check_strips(page: tifffile.TiffPage, data: bytes) -> None:
    compression = int(page.compression)
    if compression not in (_PLAIN, *_DEFLATE):
        msg = "picture: a packed TIFF; save it without compression or with deflate, or as PNG"
        raise RefusalError(415, msg)
    if int(page.samplesperpixel) > _MOST_BANDS or len(page.dataoffsets) > _MOST_STRIPS:
        msg = (
            f"picture: has {int(page.samplesperpixel)} channels in {len(page.dataoffsets)} strips; "
            f"at most {_MOST_BANDS} and {_MOST_STRIPS}"
        )
        raise RefusalError(422, msg)
    if compression == _PLAIN:
        return
    depth = int(page.chunks[-3]) if len(page.chunks) > 2 else 1
    side = max(1, int(page.tilewidth if page.is_tiled else page.imagewidth))
    rows = max(1, int(page.tilelength if page.is_tiled else page.rowsperstrip))
    rows = min(rows, rows if page.is_tiled else int(page.imagelength))
    bands = int(page.samplesperpixel)
    most = depth * side * rows * bands * max(1, int(page.bitspersample) // 8)
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        unpacker = zlib.decompressobj()
        unfolded = unpacker.decompress(data[offset : offset + count], most + 1)
        if len(unfolded) > most:
            msg = "picture: its packed data unfold to more than its size says; save it anew"
            raise RefusalError(413, msg)
