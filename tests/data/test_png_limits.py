import io
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from segnext.data.headers import parse_header
from segnext.data.images import decode_image
from segnext.data.png_limits import png_end, png_is_whole
from segnext.errors import DataError

PHOTO = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


def encode(pixels: np.ndarray = PHOTO, mode: str | None = None, **options: object) -> bytes:
    content = io.BytesIO()
    picture = PIL.Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(content, "PNG", **options)
    return content.getvalue()


def chunk(kind: bytes, content: bytes, length: int | None = None) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content) if length is None else length) + kind + content + checksum


def declare(width: int, height: int, content: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", content) + chunk(b"IEND", b"")


@pytest.mark.parametrize("mode", ["RGB", "L", "LA", "RGBA", "P", "1"])
def test_usual_files_pass(mode: str) -> None:
    assert png_is_whole(encode(mode=mode))


def test_what_packs_best_passes() -> None:
    assert png_is_whole(encode(np.zeros((3000, 3000, 3), np.uint8), compress_level=9))


def test_what_follows_the_end_is_not_the_picture_s() -> None:
    data = encode()
    assert png_end(data + b"more") == len(data)
    assert png_is_whole(data + b"more")


@pytest.mark.parametrize("kept", [30, 60, -13, -1])
def test_what_is_cut_off_is_not_whole(kept: int) -> None:
    assert png_end(encode()[:kept]) > len(encode()[:kept])
    assert not png_is_whole(encode()[:kept])


@pytest.mark.parametrize(
    "data",
    [
        # OpenCV 5.0 took as much memory as a chunk says it is long.
        encode().replace(chunk(b"IEND", b""), chunk(b"tEXt", b"", length=2**31 + 1)),
        encode()[:33] + chunk(b"IDAT", b"x" * 90, length=2**32 - 13),
        # A picture of 800 MB in 80 bytes.
        declare(16_000, 16_000, zlib.compress(b"")),
    ],
)
def test_what_promises_too_much_is_refused_before_decoding(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cv2.imdecode", lambda *_: pytest.fail("was decoded"))
    header = parse_header(data, Path("a.png"))
    with pytest.raises(DataError, match=r"a.png: broken or truncated picture; copy it again"):
        decode_image(data, header, Path("a.png"))
