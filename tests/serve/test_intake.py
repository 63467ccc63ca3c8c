import io
import struct
import zipfile
import zlib

import numpy as np
import PIL.Image
import pytest
import tifffile

from segnext.serve.intake import check_picture, decode_checked
from segnext.serve.refusals import RefusalError

PHOTO = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


def encode(kind: str, image: np.ndarray = PHOTO, **options: object) -> bytes:
    content = io.BytesIO()
    PIL.Image.fromarray(image).save(content, kind, **options)
    return content.getvalue()


def refuse(data: bytes, *, channels: int = 3, max_pixels: int = 10_000) -> RefusalError:
    """Return why a picture is refused, before decoding or by it."""
    with pytest.raises(RefusalError) as caught:
        decode_checked(
            data, check_picture(data, channels=channels, max_pixels=max_pixels), channels
        )
    assert 400 <= caught.value.status < 500
    assert "\n" not in caught.value.message
    return caught.value


def make_zip() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a.txt", "hidden")
    return content.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF"])
def test_pictures_pass(kind: str) -> None:
    data = encode(kind)
    header = check_picture(data, channels=3, max_pixels=10_000)
    assert (header.width, header.height) == (60, 40)
    assert decode_checked(data, header, 3).shape == (40, 60, 3)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.99])
def test_truncated_ones_do_not(kind: str, share: float) -> None:
    data = encode(kind)
    assert refuse(data[: int(len(data) * share)]).status in (400, 415)


def test_grey_fits_colour_and_colour_grey() -> None:
    data = encode("PNG", PHOTO[..., 0])
    assert decode_checked(data, check_picture(data, channels=3, max_pixels=9999), 3).shape[2] == 3
    data = encode("PNG")
    assert decode_checked(data, check_picture(data, channels=1, max_pixels=9999), 1).shape[2] == 1


def test_too_many_pixels_are_refused_by_the_header() -> None:
    # A bomb: 30,000 x 30,000 pixels in a hundred bytes of header.
    ihdr = b"IHDR" + struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + ihdr + struct.pack(">I", zlib.crc32(ihdr))
    refusal = refuse(bomb)
    assert refusal.status == 413
    assert "too large" in refusal.message
    refusal = refuse(encode("PNG"), max_pixels=2399)
    assert refusal.status == 413
    assert refusal.message == (
        "picture: 60 x 40 is 2,400 pixels, this server takes 2,399; make it smaller"
    )


def test_a_hundred_channels_are_refused() -> None:
    content = io.BytesIO()
    tifffile.imwrite(
        content, np.zeros((40, 60, 100), np.uint8), photometric="minisblack", planarconfig="contig"
    )
    refusal = refuse(content.getvalue())
    assert refusal.status == 422
    assert "100 channels" in refusal.message
    content = io.BytesIO()
    tifffile.imwrite(
        content, np.zeros((40, 60, 5), np.uint8), photometric="minisblack", planarconfig="contig"
    )
    refusal = refuse(content.getvalue())
    assert refusal.message == "picture: has 5 channels where the model needs 3"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP"])
def test_archives_behind_pictures_are_refused(kind: str) -> None:
    refusal = refuse(encode(kind) + make_zip())
    assert refusal.status == 415
    assert refusal.message == (
        "picture: the file is more than a picture; save it anew in a picture editor"
    )


def test_pages_within_pictures_are_refused() -> None:
    data = encode("JPEG", comment=b"<script>alert(1)</script>")
    assert refuse(data).status == 415
    assert refuse(encode("PNG") + b"<html>").status == 415
    assert refuse(encode("WEBP") + b"more").status == 415


def test_films_behind_photos_pass() -> None:
    data = encode("JPEG") + b"\0\0\0\x18ftypmp42" + bytes(100)
    assert check_picture(data, channels=3, max_pixels=9999).format == "jpeg"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 400),
        (b"GIF89a....", 415),
        (b"%PDF-1.7", 415),
        (b"MM, plain text", 415),
        (b"II*\0", 400),
        (b"\xff\xd8\xff", 400),
        (b"\x89PNG\r\n\x1a\n", 400),
        (b"RIFF\0\0\0\0WEBP", 400),
        (make_zip(), 415),
    ],
)
def test_other_files(data: bytes, status: int) -> None:
    assert refuse(data).status == status
