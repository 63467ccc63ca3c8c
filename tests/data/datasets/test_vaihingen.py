from pathlib import Path

import numpy as np
import pytest
import tifffile

from pictures import save_pairs
from segnext.data import open_folder
from segnext.data.datasets.isprs import PALETTE
from segnext.data.datasets.potsdam import POTSDAM
from segnext.data.datasets.prepare import prepare
from segnext.data.datasets.vaihingen import TILES, VAIHINGEN, read
from segnext.errors import DataError

GENERATOR = np.random.default_rng(6)


def write_areas(root: Path, *areas: str, eroded: bool = True) -> Path:
    colors = np.array(PALETTE, np.uint8)
    for area in areas:
        labels = GENERATOR.integers(0, 7, (20, 30))
        photo = GENERATOR.integers(0, 256, (20, 30, 3), dtype=np.uint8)
        files = {
            f"top/top_mosaic_09cm_{area}.tif": photo,
            f"gts_for_participants/top_mosaic_09cm_{area}.tif": colors[np.maximum(labels, 1)],
        }
        if eroded:
            files[f"eroded/top_mosaic_09cm_{area}_noBoundary.tif"] = colors[labels]
        for name, pixels in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(root / name, pixels, photometric="rgb")
    return root


def test_photos_and_masks_of_one_name_are_told_apart(tmp_path: Path) -> None:
    folder = open_folder(write_areas(tmp_path, "area1", "area2", "area9"))
    assert any("looks like ISPRS Vaihingen" in note for note in folder.notes)
    assert [item.name for item in folder.dataset("train").items] == ["area1"]
    (item,) = folder.dataset("val").items
    assert item.image_path == tmp_path / "top/top_mosaic_09cm_area2.tif"
    assert item.mask_path == tmp_path / "eroded/top_mosaic_09cm_area2_noBoundary.tif"
    (full,) = read(tmp_path, labels="full").splits["val"]
    assert full.mask_path == tmp_path / "gts_for_participants/top_mosaic_09cm_area2.tif"


def test_full_labels_where_there_are_no_others(tmp_path: Path) -> None:
    layout = read(write_areas(tmp_path, "area1", eroded=False))
    assert layout.description == "whole tiles with full labels"
    assert layout.masks is not None
    assert 255 not in layout.masks.read(layout.splits["train"][0])
    with pytest.raises(DataError, match=r"no labels of ISPRS Vaihingen; unpack"):
        read(tmp_path, labels="eroded")


def test_patches(tmp_path: Path) -> None:
    raw = write_areas(tmp_path / "raw", "area1", "area38")
    prepare("vaihingen", raw, tmp_path / "out", partial=True, workers=0, patch=16, skip="area1")
    names = sorted(path.name for path in (tmp_path / "out/img_dir/val").iterdir())
    assert names == [
        *("area38_0_0_16_16.png", "area38_0_4_16_20.png"),
        *("area38_14_0_30_16.png", "area38_14_4_30_20.png"),
    ]
    assert VAIHINGEN.detect(tmp_path / "out")
    assert not POTSDAM.detect(tmp_path / "out")


def test_lists_and_detection(tmp_path: Path) -> None:
    assert len(TILES.splits["train"]) == 16
    assert len(TILES.splits["val"]) == 17
    assert not set(TILES.splits["train"]) & set(TILES.splits["val"])
    save_pairs(tmp_path, {"img_dir/area_1.png": "ann_dir/area_1.png"})
    assert not VAIHINGEN.detect(tmp_path)
    assert not VAIHINGEN.detect(tmp_path / "absent")


def test_a_real_patch(shared: Path) -> None:
    root = shared / "data/layout_samples/vaihingen"
    assert VAIHINGEN.detect(root)
    layout = read(root, clutter=False)
    (item,) = layout.pool
    assert item.group == "area1"
    assert layout.masks is not None
    counts = np.bincount(layout.masks.read(item).reshape(-1), minlength=256)
    assert counts[:5].tolist() == [135362, 79847, 16532, 4908, 4212]
    assert counts[255] == 21283
