from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
import rasterio.shutil

from raster_files import noise, write_raster
from segnext.classes import Classes
from segnext.data.rasters import open_raster
from segnext.errors import SegnextError
from segnext.maps.geotiff import read_made, write_confidence, write_labels
from segnext.maps.progress import Block, Progress
from segnext.maps.strips import Strip

CLASSES = Classes(("road & lane", "tree"), ((1, 2, 3), (0, 128, 0)))
HEIGHT, WIDTH = 1100, 600
STRIPS = [Strip(0, 400, 0, 300), Strip(200, WIDTH, 300, WIDTH)]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "a.tif"
    return write_raster(path, noise(HEIGHT, WIDTH, 1))


def fill(folder: Path, labels: np.ndarray) -> Progress:
    progress = Progress(folder, {}, HEIGHT, STRIPS)
    for number, strip in enumerate(STRIPS):
        for top in progress.tops:
            part = labels[progress.rows(top), strip.first : strip.last]
            progress.save(number, top, Block(part, (part % 100).astype(np.uint8)))
    return progress


def test_labels_with_place_colours_and_names(tmp_path: Path, source: Path) -> None:
    labels = np.random.default_rng(0).integers(0, 2, (HEIGHT, WIDTH), np.uint8)
    labels[:50] = 255
    progress = fill(tmp_path / "progress", labels)
    path = tmp_path / "out" / "a.tif"
    write_labels(path, open_raster(source), progress, CLASSES, {"weights": "x"})
    with rasterio.open(path) as made, rasterio.open(source) as original:
        assert (made.read(1) == labels).all()
        assert (made.crs, made.transform) == (original.crs, original.transform)
        assert made.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert made.overviews(1) == [2, 4]
        # A colour would be wrong where the layers above average labels.
        assert set(np.unique(made.read(1, out_shape=(275, 150)))) <= {0, 1, 255}
        assert made.colormap(1)[1] == (0, 128, 0, 255)
        assert made.colormap(1)[0] == (1, 2, 3, 255)
        assert made.tags(1)["CLASS_0"] == "road & lane"
        assert made.descriptions == ("class",)
    assert read_made(path) == {"weights": "x"}
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["a.tif", "a.tif.aux.xml"]


def test_gdal_reads_the_names_as_categories_and_as_a_table(tmp_path: Path, source: Path) -> None:
    progress = fill(tmp_path / "progress", np.zeros((HEIGHT, WIDTH), np.uint8))
    path = tmp_path / "a.tif"
    write_labels(path, open_raster(source), progress, CLASSES, {})
    rasterio.shutil.copy(path, tmp_path / "a.vrt", driver="VRT")
    seen = ElementTree.parse(tmp_path / "a.vrt").getroot()
    assert [entry.text for entry in seen.iter("Category")] == ["road & lane", "tree"]
    rows = [[cell.text for cell in row] for row in seen.iter("Row")]
    assert rows == [["0", "road & lane", "1", "2", "3"], ["1", "tree", "0", "128", "0"]]


def test_more_than_255_classes_take_16_bits(tmp_path: Path, source: Path) -> None:
    labels = np.full((HEIGHT, WIDTH), 299, np.uint16)
    labels[0] = 65535
    progress = fill(tmp_path / "progress", labels)
    path = tmp_path / "a.tif"
    write_labels(path, open_raster(source), progress, Classes.numbered(300), {})
    with rasterio.open(path) as made:
        assert (made.dtypes[0], made.nodata) == ("uint16", 65535)
        assert (made.read(1) == labels).all()


def test_confidence_in_percent(tmp_path: Path, source: Path) -> None:
    labels = np.random.default_rng(0).integers(0, 100, (HEIGHT, WIDTH), np.uint8)
    progress = fill(tmp_path / "progress", labels)
    write_confidence(tmp_path / "c.tif", open_raster(source), progress, {"a": 1})
    with rasterio.open(tmp_path / "c.tif") as made:
        assert (made.read(1) == labels).all()
        assert (made.nodata, made.descriptions) == (255, ("confidence [%]",))
        assert made.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"


def test_a_raster_without_a_place_gives_one_without(tmp_path: Path, source: Path) -> None:
    progress = fill(tmp_path / "progress", np.zeros((HEIGHT, WIDTH), np.uint8))
    raster = replace(open_raster(source), crs="", transform=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
    write_labels(tmp_path / "a.tif", raster, progress, CLASSES, {})
    assert read_made(tmp_path / "a.tif") == {}


def test_other_files_were_not_made_here(tmp_path: Path, source: Path) -> None:
    (tmp_path / "text.tif").write_text("no raster")
    assert read_made(source) is None
    assert read_made(tmp_path / "text.tif") is None
    assert read_made(tmp_path / "nothing.tif") is None


def test_a_disk_that_refuses_leaves_nothing(tmp_path: Path, source: Path) -> None:
    progress = fill(tmp_path / "progress", np.zeros((HEIGHT, WIDTH), np.uint8))
    (tmp_path / "progress" / "assembled.tif").mkdir()
    (tmp_path / "progress" / "assembled.tif" / "in the way").touch()
    with pytest.raises(SegnextError, match=r"cannot be written"):
        write_labels(tmp_path / "a.tif", open_raster(source), progress, CLASSES, {})
    assert not (tmp_path / "a.tif").exists()
