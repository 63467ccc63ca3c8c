import io
import lzma
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from segnext.data.headers import parse_header
from segnext.data.images import read_image
from segnext.data.masks import read_stored
from segnext.data.tiff_limits import MOST_PAGES
from segnext.errors import DataError

PHOTO = np.random.default_rng(0).integers(0, 256, (50, 60, 3), np.uint8)


def encode(**options: object) -> bytes:
    content = io.BytesIO()
    tifffile.imwrite(content, PHOTO, photometric="rgb", **options)
    return content.getvalue()


def replace_strip(data: bytes, strip: bytes, compression: int) -> bytes:
    """Let the one strip of a file be other bytes, packed in another way."""
    out = bytearray(data)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tags = file.pages.first.tags
        for tag, value in ((259, compression), (273, len(data)), (279, len(strip))):
            kind = {3: "<H", 4: "<I"}[int(tags[tag].dtype)]
            struct.pack_into(kind, out, tags[tag].valueoffset, value)
    return bytes(out) + strip


@pytest.mark.parametrize("compression", ["deflate", "lzma"])
def test_usual_files_are_read(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "a.tif"
    if compression == "lzma":
        strip = lzma.compress(PHOTO.tobytes())
        path.write_bytes(replace_strip(encode(rowsperstrip=50), strip, 34925))
    else:
        path.write_bytes(encode(compression=compression, rowsperstrip=7))
    np.testing.assert_array_equal(read_image(path), PHOTO)


@pytest.mark.parametrize(("pack", "compression"), [(zlib.compress, 8), (lzma.compress, 34925)])
def test_strips_that_unfold_too_far(
    tmp_path: Path, pack: Callable[[bytes], bytes], compression: int
) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(replace_strip(encode(rowsperstrip=50), pack(bytes(20_000_000)), compression))
    for read in (read_image, read_stored):
        with pytest.raises(DataError, match="its packed data unfold to more than its size"):
            read(path)


def test_pages_without_end() -> None:
    """Reduced pages do not count as pictures, yet reading a hundred thousand takes seconds."""
    chain = bytearray(b"II*\0" + struct.pack("<I", 8))
    for number in range(MOST_PAGES + 5):
        place = len(chain)
        chain += struct.pack("<H", 3) + struct.pack("<HHII", 254, 4, 1, int(number > 0))
        chain += struct.pack("<HHII", 256, 3, 1, 1) + struct.pack("<HHII", 257, 3, 1, 1)
        chain += struct.pack("<I", place + 42)
    with pytest.raises(DataError, match="a TIFF of more than 64 pages; store one picture"):
        parse_header(bytes(chain), Path("a.tif"))


@pytest.mark.parametrize("options", [{"rowsperstrip": 7}, {"tile": (16, 32)}])
def test_strips_that_are_not_listed(tmp_path: Path, options: dict[str, object]) -> None:
    path = tmp_path / "a.tif"
    data = bytearray(encode(**options))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tag = file.pages.first.tags[257]  # ImageLength
        struct.pack_into({3: "<H", 4: "<I"}[int(tag.dtype)], data, tag.valueoffset, 150)
    path.write_bytes(data)
    for read in (read_image, read_stored):
        with pytest.raises(DataError, match=r"a.tif: broken or truncated picture; copy it again"):
            read(path)
