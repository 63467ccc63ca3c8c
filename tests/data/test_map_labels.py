import json
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import rasterio.warp
import shapely
from rasterio.features import rasterize

from raster_files import NORTH, UTM, WEST, noise, write_raster
from segnext.data.grid import Patch
from segnext.data.map_labels import RasterLabels, VectorLabels, list_classes, open_labels
from segnext.data.rasters import Raster, open_raster
from segnext.errors import DataError, UsageError

METRES = 0.5
IDS = {"crop": 1, "water": 2}


@pytest.fixture
def raster(tmp_path: Path) -> Raster:
    return open_raster(write_raster(tmp_path / "map.tif", noise(80, 120)))


def in_map(*pixels: tuple[float, float]) -> list[tuple[float, float]]:
    """Return places in metres, of places in pixels."""
    return [(WEST + METRES * x, NORTH - METRES * y) for x, y in pixels]


def random_polygons(count: int) -> list[shapely.Geometry]:
    """Return polygons with a hole each, some of them beyond the map."""
    random = np.random.default_rng(0)
    found = []
    for _ in range(count):
        x, y = random.uniform(0, 120), random.uniform(0, 80)
        circle = shapely.Point(*in_map((x, y))[0]).buffer(float(random.uniform(2, 8)))
        found.append(circle.difference(circle.centroid.buffer(1.3)))
    return found


def write_vectors(
    path: Path, shapes: list[Any], classes: list[Any], crs: str | None = UTM, **options: Any
) -> Path:
    pyogrio.raw.write(
        path,
        geometry=np.array(shapely.to_wkb(shapes), dtype=object),
        field_data=[np.array(classes, dtype=object)],
        fields=["class"],
        geometry_type=options.pop("geometry_type", "Polygon"),
        crs=crs,
        **options,
    )
    return path


def vector_labels(path: Path, **options: Any) -> VectorLabels:
    told = {"layer": None, "field": "class", "ids": IDS, "background": 0}
    return VectorLabels(path, **{**told, **options})


def test_polygons_cover_the_pixels_that_gdal_burns(tmp_path: Path, raster: Raster) -> None:
    shapes = random_polygons(40)
    names = [["crop", "water"][index % 2] for index in range(len(shapes))]
    path = write_vectors(tmp_path / "l.gpkg", shapes, names)
    burnt = rasterize(
        [(shape, IDS[name]) for shape, name in zip(shapes, names, strict=True)],
        out_shape=(80, 120),
        transform=rasterio.Affine(*raster.transform),
    )
    window = Patch(16, 32, 64, 112)
    painted = vector_labels(path).read(raster, window)
    assert len(np.unique(painted)) == 3
    assert (painted == burnt[16:64, 32:112]).mean() > 0.999  # centres on an edge may differ


def test_windows_join_without_seams(tmp_path: Path, raster: Raster) -> None:
    shapes = random_polygons(40)
    path = write_vectors(tmp_path / "l.gpkg", shapes, ["crop"] * 40)
    labels = vector_labels(path)
    whole = labels.read(raster, Patch(0, 0, 80, 120))
    halves = [labels.read(raster, Patch(0, left, 80, left + 60)) for left in (0, 60)]
    assert (np.concatenate(halves, axis=1) == whole).all()


def test_later_polygons_cover_earlier_ones(tmp_path: Path, raster: Raster) -> None:
    square = shapely.Polygon(in_map((0, 0), (8, 0), (8, 8), (0, 8)))
    inner = shapely.Polygon(in_map((2, 2), (4, 2), (4, 4), (2, 4)))
    for order in ([square, inner], [inner, square]):
        path = write_vectors(tmp_path / f"{order[0].area}.gpkg", order, ["crop", "water"])
        painted = vector_labels(path).read(raster, Patch(0, 0, 10, 10))
        assert painted[3, 3] == 2
        assert painted[0, 0] == (1 if order[0] is square else 2)
        assert painted[9, 9] == 0


def test_geojson_in_degrees_comes_to_the_place(tmp_path: Path, raster: Raster) -> None:
    corners = in_map((10, 20), (30, 20), (30, 40), (10, 40), (10, 20))
    lons, lats = rasterio.warp.transform(UTM, "EPSG:4326", *zip(*corners, strict=True))
    feature = {
        "type": "Feature",
        "properties": {"class": "crop"},
        "geometry": {"type": "Polygon", "coordinates": [list(zip(lons, lats, strict=True))]},
    }
    path = tmp_path / "l.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    painted = vector_labels(path).read(raster, Patch(0, 0, 80, 120))
    expected = np.zeros((80, 120), bool)
    expected[20:40, 10:30] = True
    assert ((painted == 1) == expected).mean() > 0.995


def test_an_edited_file_is_read_again(tmp_path: Path, raster: Raster) -> None:
    import os

    square = shapely.Polygon(in_map((0, 0), (8, 0), (8, 8), (0, 8)))
    path = write_vectors(tmp_path / "l.geojson", [square], ["crop"])
    window = Patch(0, 0, 4, 4)
    assert (vector_labels(path).read(raster, window) == 1).all()
    path.unlink()
    os.utime(write_vectors(path, [square], ["water"]), (1, 1))
    assert (vector_labels(path).read(raster, window) == 2).all()


def test_without_a_field_all_polygons_are_one_class(tmp_path: Path, raster: Raster) -> None:
    square = shapely.Polygon(in_map((0, 0), (8, 0), (8, 8), (0, 8)))
    path = write_vectors(tmp_path / "l.gpkg", [square, None], ["crop", "water"])
    labels = vector_labels(path, field=None, ids={"house": 7})
    assert labels.read(raster, Patch(0, 0, 9, 9))[0, 0] == 7


def test_classes_are_listed(tmp_path: Path) -> None:
    path = write_vectors(tmp_path / "l.gpkg", random_polygons(3), ["water", "crop", "water"])
    assert list_classes(path, None, "class") == ["crop", "water"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": "roads"}, "unknown layer 'roads'.*valid: l"),
        ({"field": "klass"}, "unknown field 'klass': did you mean class.*see --field"),
    ],
)
def test_layers_and_fields_that_are_not_there(
    tmp_path: Path, raster: Raster, options: dict, message: str
) -> None:
    path = write_vectors(tmp_path / "l.gpkg", random_polygons(2), ["crop", "crop"])
    with pytest.raises(UsageError, match=message):
        vector_labels(path, **options).read(raster, Patch(0, 0, 8, 8))


def test_one_of_several_layers_must_be_named(tmp_path: Path, raster: Raster) -> None:
    path = write_vectors(tmp_path / "l.gpkg", random_polygons(1), ["crop"], layer="a")
    write_vectors(path, random_polygons(1), ["crop"], layer="b", append=True)
    with pytest.raises(UsageError, match=r"has 2 layers \(a, b\); choose one by --layer"):
        vector_labels(path).read(raster, Patch(0, 0, 8, 8))


def test_labels_that_are_none_are_named(tmp_path: Path, raster: Raster) -> None:
    everything = Patch(0, 0, 80, 120)
    line = shapely.LineString(in_map((0, 0), (9, 9)))
    path = write_vectors(tmp_path / "a.gpkg", [line], ["crop"], geometry_type="LineString")
    with pytest.raises(DataError, match="holds LineString, but labels are polygons; buffer them"):
        vector_labels(path).read(raster, everything)
    path = write_vectors(tmp_path / "b.gpkg", random_polygons(2), ["crop", None])
    with pytest.raises(DataError, match="1 features have no class, such as feature 1"):
        vector_labels(path).read(raster, everything)
    path = write_vectors(tmp_path / "c.gpkg", random_polygons(1), ["crops"])
    with pytest.raises(DataError, match="unknown class 'crops': did you mean crop"):
        vector_labels(path).read(raster, everything)
    (tmp_path / "d.gpkg").write_bytes(b"nothing")
    with pytest.raises(DataError, match="cannot be read as vectors"):
        vector_labels(tmp_path / "d.gpkg").read(raster, everything)
    with pytest.raises(DataError, match="no such file of labels"):
        list_classes(tmp_path / "e.gpkg", None, "class")


def test_polygons_need_a_map_with_a_place(tmp_path: Path) -> None:
    from dataclasses import replace

    raster = open_raster(write_raster(tmp_path / "map.tif", noise(16, 16)))
    path = write_vectors(tmp_path / "l.gpkg", random_polygons(1), ["crop"])
    with pytest.raises(DataError, match="has no coordinate system, so polygons have no place"):
        vector_labels(path).read(replace(raster, crs=""), Patch(0, 0, 8, 8))


def test_ids_of_a_raster(tmp_path: Path, raster: Raster) -> None:
    ids = np.random.default_rng(0).integers(0, 5, (80, 120, 1), np.uint8)
    labels = open_labels(write_raster(tmp_path / "l.tif", ids, nodata=4), None, None, {}, 0)
    assert isinstance(labels, RasterLabels)
    read = labels.read(raster, Patch(8, 8, 40, 40))
    expected = ids[8:40, 8:40, 0]
    assert (read == np.where(expected == 4, 255, expected)).all()


def test_a_coarser_raster_is_brought_to_the_grid(tmp_path: Path, raster: Raster) -> None:
    ids = np.random.default_rng(0).integers(0, 4, (40, 50, 1), np.uint8)
    labels = RasterLabels(write_raster(tmp_path / "l.tif", ids, metres=2 * METRES))
    read = labels.read(raster, Patch(0, 0, 80, 120))
    assert (read[:, :100] == ids[..., 0].repeat(2, 0).repeat(2, 1)).all()
    assert (read[:, 100:] == 255).all()


def test_rasters_that_hold_no_ids(tmp_path: Path, raster: Raster) -> None:
    window = Patch(0, 0, 8, 8)
    floats = write_raster(tmp_path / "f.tif", np.zeros((80, 120, 1), np.float32))
    with pytest.raises(DataError, match="holds float32 values, not ids of classes"):
        RasterLabels(floats).read(raster, window)
    signed = write_raster(tmp_path / "s.tif", np.full((80, 120, 1), -3, np.int16))
    with pytest.raises(DataError, match="holds -3 to -3; ids of classes are 0 to 65535"):
        RasterLabels(signed).read(raster, window)
