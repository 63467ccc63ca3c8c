import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from pictures import PHOTO, save_picture
from segnext.data.headers import ImageHeader, image_header
from segnext.errors import DataError


def _png_header(width: int, height: int) -> bytes:
    content = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + content
        + struct.pack(">I", zlib.crc32(content))
    )


@pytest.mark.parametrize(
    ("suffix", "expected"),
    [
        ("jpg", ImageHeader(30, 20, 3, 8, "jpeg")),
        ("png", ImageHeader(30, 20, 3, 8, "png")),
        ("webp", ImageHeader(30, 20, 3, 8, "webp")),
        ("bmp", ImageHeader(30, 20, 3, 8, "bmp")),
        ("tif", ImageHeader(30, 20, 3, 8, "tiff")),
    ],
)
def test_each_format(tmp_path: Path, suffix: str, expected: ImageHeader) -> None:
    assert image_header(save_picture(tmp_path / f"a.{suffix}")) == expected


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "tif"])
def test_grey_has_one_channel(tmp_path: Path, suffix: str) -> None:
    assert image_header(save_picture(tmp_path / f"a.{suffix}", PHOTO[..., 0])).channels == 1


def test_webp_variants_agree_on_the_size(tmp_path: Path) -> None:
    alpha = np.dstack([PHOTO, PHOTO[..., 0]])
    for name, pixels, options in [
        ("lossy", PHOTO, {}),
        ("lossless", PHOTO, {"lossless": True}),
        ("extended", alpha, {}),
    ]:
        header = image_header(save_picture(tmp_path / f"{name}.webp", pixels, **options))
        assert (header.width, header.height) == (30, 20)


def test_palette_png_is_indexed(tmp_path: Path) -> None:
    with Image.fromarray(PHOTO).quantize(16) as picture:
        picture.save(tmp_path / "a.png")
    assert image_header(tmp_path / "a.png") == ImageHeader(
        30, 20, 3, 8, "png", stored_bits=4, indexed=True
    )


def test_sixteen_bit(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), PHOTO.astype(np.uint16) * 257)
    header = image_header(tmp_path / "a.png")
    assert (header.bits, header.stored_bits) == (16, 16)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_size_is_that_after_rotation(tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    header = image_header(save_picture(tmp_path / f"a.{suffix}", exif=exif))
    assert (header.width, header.height, header.orientation) == (20, 30, 6)
    assert header.stored_size == (30, 20)


def test_orientation_after_the_pixels_of_a_png(tmp_path: Path) -> None:
    data = save_picture(tmp_path / "a.png").read_bytes()
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, 8, 0, 0)
    chunk = struct.pack(">I", len(tiff)) + b"eXIf" + tiff
    chunk += struct.pack(">I", zlib.crc32(chunk[4:]))
    (tmp_path / "late.png").write_bytes(data[:-12] + chunk + data[-12:])
    assert image_header(tmp_path / "late.png").orientation == 8


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0junkjunk"]
)
def test_damaged_exif_costs_nothing(tmp_path: Path, exif: bytes) -> None:
    assert image_header(save_picture(tmp_path / "a.jpg", exif=exif)).orientation == 1


def test_more_pixels_than_allowed(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(_png_header(20_000, 20_000))
    with pytest.raises(DataError, match=r"bomb\.png: 20,000 x 20,000 pixels x 3 channels is too l"):
        image_header(path)


def test_pixels_just_allowed(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(_png_header(16_384, 16_384))
    assert image_header(path).width == 16_384


def test_zero_width(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(_png_header(0, 20))
    with pytest.raises(DataError, match="broken or truncated"):
        image_header(tmp_path / "a.png")


def test_missing_empty_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such picture"):
        image_header(tmp_path / "absent.png")
    (tmp_path / "empty.png").touch()
    with pytest.raises(DataError, match="the file is empty"):
        image_header(tmp_path / "empty.png")
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(DataError, match="not a JPEG, PNG, WebP, BMP or TIFF"):
        image_header(tmp_path / "text.png")
    with pytest.raises(DataError, match="cannot be read"):
        image_header(tmp_path)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tif"])
@pytest.mark.parametrize("length", [9, 12, 16, 20, 25])
def test_headers_cut_short(tmp_path: Path, suffix: str, length: int) -> None:
    data = save_picture(tmp_path / f"a.{suffix}").read_bytes()
    (tmp_path / "cut").write_bytes(data[:length])
    with pytest.raises(DataError, match=r"broken or truncated|not a JPEG"):
        image_header(tmp_path / "cut")


def test_tiff_of_several_pages(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 20, 30), np.uint8), photometric="minisblack")
    with pytest.raises(DataError, match="a TIFF of 4 pages"):
        image_header(tmp_path / "a.tif")


@pytest.mark.parametrize("dtype", [np.float32, np.uint32, np.int16])
def test_tiff_of_other_numbers(tmp_path: Path, dtype: type) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((20, 30), dtype))
    with pytest.raises(DataError, match="convert it to unsigned 8 or 16 bit"):
        image_header(tmp_path / "a.tif")


def test_overviews_of_a_tiff_are_no_pages(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(PHOTO, photometric="rgb", subifds=0)
        file.write(PHOTO[::2, ::2], photometric="rgb", subfiletype=1)
    assert image_header(tmp_path / "a.tif").width == 30


# Header of one version, then entries of key, place, count and value.
_PROJECTED = (1, 1, 0, 2, 1024, 0, 1, 1, 3076, 0, 1, 9001)


def _save_geotiff(path: Path, *tags: tuple[int, str, int, object], **options: object) -> Path:
    extra = [(*tag, True) for tag in tags]
    tifffile.imwrite(path, PHOTO, photometric="rgb", extratags=extra, **options)
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("-9999", -9999),
        ("255 ", 255),
        ("1e3", 1000),
        ("nan", None),
        ("inf", None),
        ("none", None),
        ("", None),
        ("0" * 65, None),
    ],
)
def test_declared_nodata(tmp_path: Path, text: str, expected: float | None) -> None:
    path = _save_geotiff(tmp_path / "a.tif", (42113, "s", 0, text))
    assert image_header(path).nodata == expected


def test_nodata_of_values_that_are_not_kept(tmp_path: Path) -> None:
    """Where white is 0, values come out turned: the declared one would mark others."""
    tag = (42113, "s", 0, "0", True)
    for photometric, expected in (("minisblack", 0), ("miniswhite", None)):
        path = tmp_path / f"{photometric}.tif"
        tifffile.imwrite(path, PHOTO[..., 0], photometric=photometric, extratags=[tag])
        assert image_header(path).nodata == expected


@pytest.mark.parametrize(
    ("scale", "keys", "expected"),
    [
        ((0.3, 0.3, 0.0), _PROJECTED, 0.3),
        ((10.0, 10.05, 0.0), _PROJECTED, 10.0),
        ((10.0, 11.0, 0.0), _PROJECTED, None),  # no square
        ((0.0, 0.0, 0.0), _PROJECTED, None),
        ((-1.0, -1.0, 0.0), _PROJECTED, None),
        ((float("nan"),) * 3, _PROJECTED, None),
        ((float("inf"),) * 3, _PROJECTED, None),
        ((1.0,), _PROJECTED, None),
        ((0.3, 0.3, 0.0), (1, 1, 0, 2, 1024, 0, 1, 2, 3076, 0, 1, 9001), None),  # degrees
        ((0.3, 0.3, 0.0), (1, 1, 0, 2, 1024, 0, 1, 1, 3076, 0, 1, 9002), None),  # feet
        ((0.3, 0.3, 0.0), (1, 1, 0, 2, 1024, 0, 1, 1, 3076, 34737, 1, 9001), None),  # elsewhere
        ((0.3, 0.3, 0.0), (1, 1, 0, 9, 1024, 0, 1), None),
        ((0.3, 0.3, 0.0), (1,), None),
        ((0.3, 0.3, 0.0), (), None),
        ((), _PROJECTED, None),
    ],
)
def test_ground_sampling_distance(
    tmp_path: Path, scale: tuple[float, ...], keys: tuple[int, ...], expected: float | None
) -> None:
    stated = ((33550, "d", scale), (34735, "H", keys))
    tags = [
        (code, kind, len(values), values if len(values) > 1 else values[0])
        for code, kind, values in stated
        if values
    ]
    header = image_header(_save_geotiff(tmp_path / "a.tif", *tags))
    assert header.metres_per_pixel == expected
    assert header.width == 30


def test_geo_tags_of_other_types(tmp_path: Path) -> None:
    text = [(33550, "s", 0, "wide"), (34735, "s", 0, "metres"), (42113, "d", 1, 7.0)]
    header = image_header(_save_geotiff(tmp_path / "a.tif", *text))
    assert (header.metres_per_pixel, header.nodata) == (None, 7.0)
