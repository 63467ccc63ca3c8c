from pathlib import Path

import numpy as np
import pytest

from opening import masks_by_name
from raster_files import noise, write_raster
from segnext.data.folder import open_folder
from segnext.data.formats.maps import FORMAT
from segnext.data.map_preparation import MapRules, prepare_maps
from segnext.errors import DataError


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    pixels = noise(64, 128)
    ids = (pixels[..., :1] > 100).astype(np.uint8) + (pixels[..., :1] > 180)
    raster = write_raster(tmp_path / "map.tif", pixels)
    labels = write_raster(tmp_path / "ids.tif", ids.astype(np.uint8))
    rules = MapRules(32, 32, classes=("low", "middle", "high"))
    return prepare_maps([raster], labels, tmp_path / "out", rules).data_yaml


def test_masks_are_read_from_the_map(prepared: Path) -> None:
    masks = masks_by_name(prepared.parent)
    assert len(masks) == 8
    pixels = noise(64, 128)[..., 0]
    expected = (pixels > 100).astype(int) + (pixels > 180)
    assert (masks["map_32_64_96_128"] == expected[32:64, 96:128]).all()


def test_classes_may_be_merged_and_dropped(prepared: Path) -> None:
    prepared.write_text("path: .\nformat: maps\nmerge: {rest: [low, middle]}\n")
    assert open_folder(prepared).classes.names == ("rest", "high")
    assert set(np.unique(list(masks_by_name(prepared).values()))) == {0, 1}


def test_blocks_are_groups(prepared: Path) -> None:
    items = [item for part in open_folder(prepared).splits.values() for item in part.items]
    assert len({item.group for item in items}) == 8


def test_it_is_found_out(prepared: Path, tmp_path: Path) -> None:
    assert FORMAT.detect(prepared.parent)
    assert not FORMAT.detect(tmp_path)
    prepared.unlink()
    assert open_folder(prepared.parent).format == "maps"


def test_a_damaged_index_is_named(prepared: Path) -> None:
    index = prepared.with_name("maps.windows")
    index.write_text(index.read_text().replace('"version": 1', '"version": 0'))
    with pytest.raises(DataError, match=r"maps.windows: is no index of windows, or damaged"):
        open_folder(prepared)
    index.unlink()
    with pytest.raises(DataError, match=r"maps.windows: cannot be read .*segnext data maps"):
        open_folder(prepared)


def test_a_map_that_is_gone_is_named(prepared: Path) -> None:
    (prepared.parents[1] / "map.tif").unlink()
    with pytest.raises(DataError, match=r"map.tif: no such raster"):
        masks_by_name(prepared)
