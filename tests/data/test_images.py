from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image, ImageOps

from pictures import PHOTO, save_picture
from segnext.data.images import read_image
from segnext.errors import DataError


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp"])
def test_lossless_formats_return_the_pixels(tmp_path: Path, suffix: str) -> None:
    options = {"lossless": True} if suffix == "webp" else {}
    np.testing.assert_array_equal(
        read_image(save_picture(tmp_path / f"a.{suffix}", **options)), PHOTO
    )


def test_jpeg_is_rgb(tmp_path: Path) -> None:
    red = np.full((16, 16, 3), (200, 30, 60), np.uint8)
    image = read_image(save_picture(tmp_path / "a.jpg", red))
    assert np.abs(image.astype(int) - red).max() < 5


def test_content_decides_not_the_suffix(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png").rename(tmp_path / "a.jpg")
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), PHOTO)


def test_names_beyond_ascii(tmp_path: Path) -> None:
    assert read_image(save_picture(tmp_path / "Straße 道.png")).shape == (20, 30, 3)


def test_grey_keeps_one_channel(tmp_path: Path) -> None:
    image = read_image(save_picture(tmp_path / "a.png", PHOTO[..., 0]))
    np.testing.assert_array_equal(image, PHOTO[..., :1])


def test_one_bit_png(tmp_path: Path) -> None:
    image = read_image(save_picture(tmp_path / "a.png", PHOTO[..., 0] > 128))
    np.testing.assert_array_equal(image[..., 0], (PHOTO[..., 0] > 128) * np.uint8(255))


def test_palette_png_is_expanded(tmp_path: Path) -> None:
    with Image.fromarray(PHOTO).quantize(16) as picture:
        picture.save(tmp_path / "a.png", transparency=0)
        expected = np.array(picture.convert("RGB"))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), expected)


def test_alpha_is_dropped(tmp_path: Path) -> None:
    alpha = PHOTO[..., :1]
    save_picture(tmp_path / "rgba.png", np.dstack([PHOTO, alpha]))
    np.testing.assert_array_equal(read_image(tmp_path / "rgba.png"), PHOTO)
    save_picture(tmp_path / "la.png", np.dstack([PHOTO[..., 1], alpha]))
    np.testing.assert_array_equal(read_image(tmp_path / "la.png"), PHOTO[..., 1:2])


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bit_png(tmp_path: Path, channels: int) -> None:
    deep = PHOTO[..., :channels].astype(np.uint16) * 257
    cv2.imwrite(str(tmp_path / "a.png"), deep[..., ::-1])
    image = read_image(tmp_path / "a.png")
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image, deep)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("bands", [2, 4, 7])
def test_tiff_of_many_bands(tmp_path: Path, planar: str, bands: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (20, 30, bands), dtype=np.uint16)
    stored = pixels if planar == "contig" else np.moveaxis(pixels, -1, 0)
    tifffile.imwrite(
        tmp_path / "a.tif",
        stored,
        photometric="minisblack",
        planarconfig=planar,
        compression="zlib",
    )
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), pixels)


def test_tiff_packed_with_lzw(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.tif", compression="tiff_lzw")
    np.testing.assert_array_equal(read_image(path), PHOTO)


def test_tiff_packed_beyond_reach_names_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_picture(
        tmp_path / "a.tif", np.dstack([PHOTO, PHOTO[..., 0]]), compression="tiff_lzw"
    )
    monkeypatch.setattr("segnext.data.images._needs_codec", lambda page: True)
    with pytest.raises(DataError, match=r"packed with LZW .* pip install imagecodecs"):
        read_image(path)


def test_tiff_with_a_palette_or_inverted(tmp_path: Path) -> None:
    with Image.fromarray(PHOTO).quantize(16) as picture:
        picture.save(tmp_path / "palette.tif")
        expected = np.array(picture.convert("RGB"))
    np.testing.assert_array_equal(read_image(tmp_path / "palette.tif"), expected)
    tifffile.imwrite(tmp_path / "inverted.tif", PHOTO[..., 0], photometric="miniswhite")
    np.testing.assert_array_equal(read_image(tmp_path / "inverted.tif"), 255 - PHOTO[..., :1])


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation(tmp_path: Path, suffix: str, orientation: int) -> None:
    # Flat quarters survive JPEG and tell all eight orientations apart.
    quarters = np.array([[[250, 20, 20], [20, 250, 20]], [[20, 20, 250], [240, 240, 240]]])
    pixels = np.kron(quarters, np.ones((16, 32, 1))).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    save_picture(tmp_path / f"a.{suffix}", pixels, exif=exif)
    with Image.fromarray(pixels) as picture:
        picture.getexif()[0x0112] = orientation
        expected = np.array(ImageOps.exif_transpose(picture))
    image = read_image(tmp_path / f"a.{suffix}")
    assert image.shape == expected.shape
    assert np.abs(image[8::16, 8::16].astype(int) - expected[8::16, 8::16]).max() < 40


def test_channels_are_fitted(tmp_path: Path) -> None:
    grey = save_picture(tmp_path / "grey.png", PHOTO[..., 0])
    np.testing.assert_array_equal(read_image(grey, 3), np.repeat(PHOTO[..., :1], 3, axis=2))
    luma = read_image(save_picture(tmp_path / "rgb.png"), 1)
    expected = PHOTO @ np.array([0.299, 0.587, 0.114])
    assert luma.shape == (20, 30, 1)
    assert np.abs(luma[..., 0] - expected).max() <= 1


def test_channels_that_do_not_fit(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png: has 3 channels where 4 are needed"):
        read_image(path, 4)


def _photo(side: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (side, side, 3), dtype=np.uint8)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tif"])
@pytest.mark.parametrize("kept", [0.3, 0.7, 0.97])
def test_truncated_pictures_are_refused(tmp_path: Path, suffix: str, kept: float) -> None:
    data = save_picture(tmp_path / f"a.{suffix}", _photo(64)).read_bytes()
    (tmp_path / "cut").write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(DataError, match="broken or truncated"):
        read_image(tmp_path / "cut")


def test_jpeg_without_its_last_bytes(tmp_path: Path) -> None:
    data = save_picture(tmp_path / "a.jpg", _photo(64)).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[:-2])
    with pytest.raises(DataError, match="broken or truncated"):
        read_image(tmp_path / "cut.jpg")


def test_jpeg_whose_thumbnail_alone_is_whole(tmp_path: Path) -> None:
    thumbnail = save_picture(tmp_path / "small.jpg", _photo(16)).read_bytes()
    path = save_picture(tmp_path / "a.jpg", _photo(64), exif=b"Exif\0\0junkjunk" + thumbnail)
    (tmp_path / "cut.jpg").write_bytes(path.read_bytes()[:-300])
    with pytest.raises(DataError, match="broken or truncated"):
        read_image(tmp_path / "cut.jpg")


def test_jpeg_with_bytes_after_its_end(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.jpg")
    whole = read_image(path)
    path.write_bytes(path.read_bytes() + b"video \xff\xda follows" * 100)
    np.testing.assert_array_equal(read_image(path), whole)


def test_tiff_whose_last_strips_are_lost(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, _photo(64), compression="zlib", rowsperstrip=8)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DataError, match="broken or truncated"):
        read_image(path)
