from pathlib import Path

import numpy as np
import pytest

from raster_files import write_raster
from segnext.classes import Classes
from segnext.maps.areas import MapAreas, count_areas, write_areas


def make_map(path: Path, **options: object) -> Path:
    labels = np.zeros((10, 20, 1), np.uint8)
    labels[:3] = 1
    labels[9] = 255
    return write_raster(path, labels, **options)


@pytest.fixture
def classes() -> Classes:
    return Classes(("road", "tree"))


def test_pixels_and_the_ground_under_them(tmp_path: Path, classes: Classes) -> None:
    areas = count_areas(make_map(tmp_path / "a.tif", metres=0.5), classes)
    assert areas == MapAreas({"road": 120, "tree": 60}, 0.25)


def test_feet_are_turned_to_metres(tmp_path: Path, classes: Classes) -> None:
    # New York Long Island, in US survey feet.
    areas = count_areas(make_map(tmp_path / "a.tif", metres=1, crs="EPSG:2263"), classes)
    assert areas.square_metres == pytest.approx(0.3048006096**2)


def test_degrees_have_no_area(tmp_path: Path, classes: Classes) -> None:
    path = make_map(tmp_path / "a.tif", metres=1e-5, crs="EPSG:4326", west=10.0)
    assert count_areas(path, classes).square_metres is None


def test_the_table(tmp_path: Path) -> None:
    write_areas(tmp_path / "a.csv", MapAreas({"road": 30, 'a "b", c': 10}, 0.25))
    assert (tmp_path / "a.csv").read_text() == (
        'class,pixels,share,square_metres\nroad,30,0.750000,7.50\n"a ""b"", c",10,0.250000,2.50\n'
    )
    write_areas(tmp_path / "a.csv", MapAreas({"road": 0}, None))
    assert (tmp_path / "a.csv").read_text().splitlines()[1] == "road,0,0.000000,"
