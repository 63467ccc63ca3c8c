from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio

from raster_files import UTM, noise, write_raster
from segnext.data import rasters
from segnext.data.grid import Patch
from segnext.data.rasters import open_raster
from segnext.errors import DataError, UsageError


def test_a_window_has_the_pixels_that_were_written(tmp_path: Path) -> None:
    pixels = noise(40, 56)
    raster = open_raster(write_raster(tmp_path / "a.tif", pixels), channels=3)
    image, observed = raster.read(Patch(8, 16, 24, 56))
    assert (image == pixels[8:24, 16:56]).all()
    assert observed.all()
    assert (raster.height, raster.width, raster.nodata) == (40, 56, None)
    assert rasterio.CRS.from_wkt(raster.crs) == rasterio.CRS.from_string(UTM)


def test_bands_are_chosen_and_alpha_is_none_of_them(tmp_path: Path) -> None:
    pixels = noise(16, 16, 4)
    pixels[:4, :, 3] = 0
    path = write_raster(tmp_path / "a.tif", pixels, photometric="RGB", alpha="YES")
    image, observed = open_raster(path, channels=3).read(Patch(0, 0, 16, 16))
    assert (image == pixels[..., :3]).all()
    assert not observed[:4].any()
    assert observed[4:].all()
    swapped = open_raster(path, bands=[3, 1]).read(Patch(0, 0, 16, 16))[0]
    assert (swapped == pixels[..., [2, 0]]).all()


def test_one_band_is_repeated_to_three(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", noise(16, 16, 1))
    assert open_raster(path, channels=3).bands == (1, 1, 1)


def test_a_value_range_becomes_the_full_scale(tmp_path: Path) -> None:
    values = np.array([[-5, 0, 1500, 3000, 9999, np.nan]], np.float32)[..., None]
    path = write_raster(tmp_path / "a.tif", values)
    raster = open_raster(path, value_range=(0, 3000))
    image, observed = raster.read(Patch(0, 0, 1, 6))
    assert raster.nodata == 0
    assert image.dtype == np.uint16
    assert image[0, :, 0].tolist() == [1, 1, 32768, 65535, 65535, 0]
    assert observed[0].tolist() == [True] * 5 + [False]


def test_nodata_in_all_bands_was_not_observed(tmp_path: Path) -> None:
    pixels = noise(8, 8)
    pixels[0, 0] = 0
    pixels[1, 1, 0] = 0
    raster = open_raster(write_raster(tmp_path / "a.tif", pixels, nodata=0))
    _, observed = raster.read(Patch(0, 0, 8, 8))
    assert raster.nodata == 0
    assert np.argwhere(~observed).tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 4}, "3 bands, the model was trained on 4; say which, as in --bands 1,2,3,4"),
        ({"bands": [5]}, "has no band 5; its bands are 1 to 3"),
        ({"bands": []}, "has no band of an empty list"),
        ({"value_range": (3, 3)}, "from a lower to a higher number, not from 3 to 3"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, options: dict, message: str) -> None:
    path = write_raster(tmp_path / "a.tif", noise(16, 16))
    with pytest.raises(UsageError, match=message):
        open_raster(path, **options)


def test_other_types_need_a_range(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", noise(16, 16).astype(np.int16))
    with pytest.raises(UsageError, match=r"values are int16, neither.*--value-range 0,3000"):
        open_raster(path)


def test_a_palette_is_no_picture(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", noise(16, 16, 1))
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {1: (9, 9, 9, 255)})
    with pytest.raises(DataError, match="first run gdal_translate -expand rgb"):
        open_raster(path)


def test_files_that_are_no_rasters(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"II*\0 nothing")
    with pytest.raises(DataError, match="is no raster that GDAL opens"):
        open_raster(tmp_path / "a.tif")
    with pytest.raises(DataError, match="no such raster"):
        open_raster(tmp_path / "b.tif")


def test_a_file_cut_off_is_found_where_it_ends(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", noise(256, 256), compress="DEFLATE")
    raster = open_raster(path)
    path.write_bytes(path.read_bytes()[:-40_000])
    with pytest.raises(DataError, match=r"(rows 200 to 256 cannot be read|is no raster)"):
        raster.read(Patch(200, 0, 256, 256))


def test_without_rasterio_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rasterio", None)
    with pytest.raises(UsageError, match=r'maps need pip install "segnext\[geo\]"'):
        rasters.import_rasterio()


@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg"])
def test_a_truncated_raster_is_named_and_not_read_as_zeros(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    pixels = noise(200, 300)
    cv2.imwrite(str(path), pixels)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=rf"a\{suffix}: "):
        open_raster(path).read(Patch(0, 0, 200, 300))
