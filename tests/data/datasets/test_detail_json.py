import pickle
from pathlib import Path

import numpy as np
import pytest

from detail_files import detail_content, save_detail
from pictures import ids
from segnext.data.datasets.detail_json import DetailMasks, paint_picture, read_detail
from segnext.data.datasets.label_maps import read_label_map
from segnext.data.pairing import Item
from segnext.errors import DataError

RAW_IDS = ((2, 1), (458, 59))


def test_later_areas_cover_earlier_ones(tmp_path: Path) -> None:
    path = save_detail(tmp_path / "trainval_merged.json")
    pictures = read_detail(path)
    assert {name: picture.phase for name, picture in pictures.items()} == {
        "2008_000002": "train",
        "2008_000003": "val",
    }
    raw = paint_picture(pictures["2008_000002"], RAW_IDS, path)
    np.testing.assert_array_equal(raw, ids(1, 59, 0))
    # A category that is none of the 59 becomes 0.
    assert not paint_picture(pictures["2008_000003"], RAW_IDS, path).any()


def test_masks_are_painted_on_demand(tmp_path: Path) -> None:
    path = save_detail(tmp_path / "trainval_merged.json")
    masks = pickle.loads(pickle.dumps(DetailMasks(read_label_map("pascal_context"), path, RAW_IDS)))
    item = Item("2008_000002", tmp_path / "2008_000002.jpg", path, "2008_000002")
    np.testing.assert_array_equal(masks.read(item), ids(1, 59, 0))
    reduced = masks.with_classes(read_label_map("pascal_context59"))
    np.testing.assert_array_equal(reduced.read(item), ids(0, 58, 255))


def test_malformed_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "trainval_merged.json"
    for key in ("images", "annos_segmentation", "categories"):
        broken = detail_content()
        del broken[key]
        with pytest.raises(DataError, match=r"is no trainval_merged\.json of PASCAL in Detail"):
            read_detail(save_detail(path, broken))
    for wrong in ([], {"images": 3, "annos_segmentation": [], "categories": []}):
        with pytest.raises(DataError, match=r"is no trainval_merged\.json"):
            read_detail(save_detail(path, wrong))  # type: ignore[arg-type]
    strange = detail_content()
    strange["annos_segmentation"][0]["category_id"] = 5
    with pytest.raises(DataError, match=r"category 5 of image 7 is not declared"):
        read_detail(save_detail(path, strange))
    large = detail_content()
    large["images"][0]["height"] = 10**9
    with pytest.raises(DataError, match=r"2008_000002\.jpg is said to have 30 x 1000000000 pixels"):
        read_detail(save_detail(path, large))


def test_broken_run_lengths_name_the_picture(tmp_path: Path) -> None:
    path, broken = tmp_path / "trainval_merged.json", detail_content()
    broken["annos_segmentation"][0]["segmentation"]["counts"] = "0"
    pictures = read_detail(save_detail(path, broken))
    with pytest.raises(DataError, match=r"do not add up .*, for the picture 2008_000002"):
        paint_picture(pictures["2008_000002"], RAW_IDS, path)
