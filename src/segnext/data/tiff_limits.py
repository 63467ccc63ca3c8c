"""TIFF files within bounds: few pages, and packed data that cannot outgrow the picture.

A TIFF may hold a million pages in its chain, and a packed strip may unfold to a thousand times its
size whatever the header declares. Decoders notice either too late.
"""

import lzma
import math
import zlib
from collections.abc import Callable, Iterator

import tifffile

# A picture of a satellite has about ten overviews, and a mask for each.
MOST_PAGES = 64
_DEFLATE, _LZMA = (8, 32946), (34925,)


def walk_pages(file: tifffile.TiffFile) -> Iterator[tifffile.TiffPage]:
    """Go down the chain page by page: asking for all of them at once has no bound."""
    index = 0
    while True:
        try:
            yield file.pages[index]
        except IndexError:
            return
        index += 1


def tiff_is_whole(page: tifffile.TiffPage, size: int) -> bool:
    """Tell whether a file lists all strips or tiles of a page, and has them.

    What is missing tifffile reads as zeros, and takes seconds to do so where millions are.

    Args:
        page: With a header that was parsed.
        size: Of the file, in bytes.
    """
    if len(page.dataoffsets) != math.prod(page.chunked):
        return False
    ends = zip(page.dataoffsets, page.databytecounts, strict=True)
    return all(offset + count <= size for offset, count in ends)


def unfolds_too_far(page: tifffile.TiffPage, data: bytes) -> bool:
    """Tell whether a packed strip or tile holds more than its size says.

    Args:
        page: Of any packing; only deflate and LZMA have no bound of their own.
        data: The whole file.
    """
    compression = int(page.compression)
    if compression not in _DEFLATE + _LZMA:
        return False
    most = _largest_segment(page)
    unpack: Callable[[bytes, int], bytes] = _inflate if compression in _DEFLATE else _unpack_lzma
    segments = zip(page.dataoffsets, page.databytecounts, strict=True)
    return any(
        len(unpack(data[offset : offset + count], most + 1)) > most for offset, count in segments
    )


def _largest_segment(page: tifffile.TiffPage) -> int:
    """Return the bytes that a strip or tile may have, unpacked."""
    depth = int(page.chunks[-3]) if len(page.chunks) > 2 else 1
    side = max(1, int(page.tilewidth if page.is_tiled else page.imagewidth))
    rows = max(1, int(page.tilelength if page.is_tiled else page.rowsperstrip))
    rows = rows if page.is_tiled else min(rows, int(page.imagelength))
    return depth * side * rows * int(page.samplesperpixel) * max(1, int(page.bitspersample) // 8)


def _inflate(part: bytes, limit: int) -> bytes:
    return zlib.decompressobj().decompress(part, limit)


def _unpack_lzma(part: bytes, limit: int) -> bytes:
    return lzma.LZMADecompressor().decompress(part, limit)
