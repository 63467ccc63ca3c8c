import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from raster_files import noise, write_raster
from segnext.data.containers.map_windows import (
    MapSource,
    MapWindow,
    MapWindows,
    WindowsIndex,
    read_index,
    write_index,
)
from segnext.data.containers.paths import file_size, is_file, is_folder, list_folder, read_bytes
from segnext.data.grid import Patch
from segnext.data.headers import image_header
from segnext.data.images import read_image
from segnext.errors import DataError

PLACES = {"m_0": Patch(0, 0, 32, 32), "m_1": Patch(16, 40, 48, 60)}

PLACE = {"top": 0, "left": 0, "bottom": 8, "right": 8}
WINDOW = {"name": "m", "split": "train", "block": "m", "source": 0, "place": PLACE}


def write_windows(folder: Path, bands: tuple[int, ...] = (1, 2, 3), **options: object) -> Path:
    windows = tuple(MapWindow(name, "train", name, 0, place) for name, place in PLACES.items())
    source = MapSource("map.tif", "labels.gpkg", bands, **options)
    path = folder / "maps.windows"
    write_index(path, WindowsIndex((source,), windows, {0: "land", 1: "lake"}))
    return path


@pytest.mark.parametrize("bands", [(1,), (2, 1), (1, 2, 3), (4, 3, 2, 1), (1, 2, 3, 4, 5)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_windows_are_pictures(tmp_path: Path, bands: tuple[int, ...], dtype: type) -> None:
    pixels = noise(64, 64, 5).astype(dtype) * dtype(200)
    write_raster(tmp_path / "map.tif", pixels, nodata=7)
    path = write_windows(tmp_path, bands)
    chosen = pixels[..., [band - 1 for band in bands]]
    for name, place in PLACES.items():
        member = path / f"{name}.tif"
        expected = chosen[place.top : place.bottom, place.left : place.right]
        assert (read_image(member) == expected).all()
        header = image_header(member)
        assert (header.channels, header.bits) == (len(bands), 8 * np.dtype(dtype).itemsize)
        assert header.nodata == 7
        assert file_size(member) == expected.nbytes
    assert is_folder(path)
    assert is_file(path / "m_0.tif")
    assert [member.name for member in list_folder(path)] == ["m_0.tif", "m_1.tif"]


def test_scaled_windows_have_16_bits_and_nodata(tmp_path: Path) -> None:
    values = noise(64, 64, 1).astype(np.float32)
    values[0, 0] = np.nan
    write_raster(tmp_path / "map.tif", values)
    path = write_windows(tmp_path, (1,), value_range=(0.0, 255.0))
    image = read_image(path / "m_0.tif")
    assert image[0, 0, 0] == 0
    assert (image[1:, :, 0] == values[1:32, :32, 0] * 257).all()
    assert image_header(path / "m_0.tif").nodata == 0


def test_an_index_comes_back(tmp_path: Path) -> None:
    path = write_windows(tmp_path, value_range=(0.0, 10.0))
    index = read_index(path)
    write_index(tmp_path / "again.windows", index)
    assert read_index(tmp_path / "again.windows") == index
    assert index.names == {0: "land", 1: "lake"}
    assert index.windows[1].place == PLACES["m_1"]


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"windows": [{"name": "a"}]},
        {"windows": 5},
        {"windows": [{**WINDOW, "place": {**PLACE, "top": "0"}}]},
        {"windows": [{**WINDOW, "place": {**PLACE, "bottom": 0}}]},
        {"windows": [{**WINDOW, "source": 1}]},
        {"windows": [{**WINDOW, "split": None}]},
        {"sources": []},
        {"names": {"x": "land"}},
        {"more": 1},
    ],
)
def test_a_damaged_index_is_refused(tmp_path: Path, change: dict) -> None:
    path = write_windows(tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(DataError, match="is no index of windows, or damaged"):
        read_index(path)
    path.write_text("nothing")
    with pytest.raises(DataError, match="is no index of windows, or damaged"):
        MapWindows(path)


def test_a_map_that_shrank_is_named(tmp_path: Path) -> None:
    write_raster(tmp_path / "map.tif", noise(24, 24))
    path = write_windows(tmp_path)
    with pytest.raises(DataError, match=r"map.tif: has 24 x 24 pixels, .*write it again"):
        read_bytes(path / "m_1.tif")


def test_threads_and_processes_may_share_it(tmp_path: Path) -> None:
    pixels = noise(64, 64)
    write_raster(tmp_path / "map.tif", pixels)
    windows = pickle.loads(pickle.dumps(MapWindows(write_windows(tmp_path))))
    windows.prefetch()
    with ThreadPoolExecutor(4) as threads:
        contents = list(threads.map(windows.read, ["m_0.tif"] * 20))
    assert len(set(contents)) == 1
    with pytest.raises(KeyError):
        windows.read("m_2.tif")
