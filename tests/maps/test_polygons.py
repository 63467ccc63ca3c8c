import json
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import rasterio.warp
import shapely
from rasterio.features import rasterize

from raster_files import NORTH, UTM, WEST, write_raster
from segnext.classes import Classes
from segnext.errors import SegnextError
from segnext.maps import polygons
from segnext.maps.polygons import write_polygons

CLASSES = Classes(("road", "tree", "house"))


@pytest.fixture
def labels() -> np.ndarray:
    drawn = np.zeros((40, 60, 1), np.uint8)
    drawn[5:30, 10:40] = 1
    drawn[10:20, 15:25] = 2  # a hole in the tree
    drawn[35:] = 255
    return drawn


def test_geopackage_covers_every_pixel_once(tmp_path: Path, labels: np.ndarray) -> None:
    path = write_raster(tmp_path / "a.tif", labels, nodata=255)
    out = tmp_path / "out" / "a.gpkg"
    write_polygons(out, path, CLASSES)
    meta, _, geometries, (names, ids, areas) = pyogrio.raw.read(out)
    assert meta["crs"] == UTM
    assert list(meta["fields"]) == ["class", "class_id", "square_metres"]
    assert sorted(zip(names, ids, areas, strict=True)) == [
        ("house", 2, 25.0),
        ("road", 0, 35 * 60 / 4 - 187.5),
        ("tree", 1, 162.5),
    ]
    with rasterio.open(path) as dataset:
        transform = dataset.transform
    drawn = rasterize(
        zip(shapely.from_wkb(geometries), ids, strict=True),
        out_shape=(40, 60),
        transform=transform,
        fill=255,
        dtype="uint8",
    )
    assert (drawn == labels[..., 0]).all()
    assert [entry.name for entry in out.parent.iterdir()] == ["a.gpkg"]


def test_batches_join(tmp_path: Path, labels: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polygons, "_BATCH", 2)
    path = write_raster(tmp_path / "a.tif", labels, nodata=255)
    write_polygons(tmp_path / "a.gpkg", path, CLASSES)
    assert pyogrio.read_info(tmp_path / "a.gpkg")["features"] == 3


def test_geojson_is_in_degrees(tmp_path: Path, labels: np.ndarray) -> None:
    path = write_raster(tmp_path / "a.tif", labels, nodata=255)
    write_polygons(tmp_path / "a.geojson", path, CLASSES)
    features = json.loads((tmp_path / "a.geojson").read_text())["features"]
    by_name = {feature["properties"]["class"]: feature for feature in features}
    assert set(by_name) == {"road", "tree", "house"}
    assert by_name["house"]["properties"] == {
        "class": "house",
        "class_id": 2,
        "square_metres": 25.0,
    }
    corners = by_name["house"]["geometry"]["coordinates"][0]
    eastings, northings = rasterio.warp.transform("EPSG:4326", UTM, *zip(*corners, strict=True))
    assert min(eastings) == pytest.approx(WEST + 7.5, abs=0.02)
    assert max(northings) == pytest.approx(NORTH - 5, abs=0.02)


@pytest.mark.parametrize("suffix", ["gpkg", "geojson"])
def test_nothing_but_nodata(tmp_path: Path, suffix: str) -> None:
    path = write_raster(tmp_path / "a.tif", np.full((8, 8, 1), 255, np.uint8), nodata=255)
    write_polygons(tmp_path / f"a.{suffix}", path, CLASSES)
    assert pyogrio.read_info(tmp_path / f"a.{suffix}")["features"] == 0


def test_degrees_have_no_area(tmp_path: Path, labels: np.ndarray) -> None:
    path = write_raster(
        tmp_path / "a.tif", labels, nodata=255, crs="EPSG:4326", metres=1e-5, west=10.0
    )
    write_polygons(tmp_path / "a.geojson", path, CLASSES)
    features = json.loads((tmp_path / "a.geojson").read_text())["features"]
    assert {feature["properties"]["square_metres"] for feature in features} == {None}


def test_a_place_that_cannot_be_written(tmp_path: Path, labels: np.ndarray) -> None:
    path = write_raster(tmp_path / "a.tif", labels, nodata=255)
    (tmp_path / "file").touch()
    with pytest.raises(SegnextError, match="cannot be written"):
        write_polygons(tmp_path / "file" / "a.gpkg", path, CLASSES)
