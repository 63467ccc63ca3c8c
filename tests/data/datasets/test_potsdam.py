from pathlib import Path

import numpy as np
import pytest

from known_layouts import write_potsdam
from pictures import save_pairs
from segnext.data import open_folder
from segnext.data.datasets.potsdam import POTSDAM, TILES, plan, read
from segnext.data.datasets.prepare import prepare
from segnext.data.stitching import stitch_patches
from segnext.errors import DataError, UsageError


def test_tiles_go_to_their_splits(tmp_path: Path) -> None:
    folder = open_folder(write_potsdam(tmp_path, "2_10", "6_7", "2_13", "9_9"))
    assert any("looks like ISPRS Potsdam" in note for note in folder.notes)
    assert [item.name for item in folder.dataset("train").items] == ["2_10", "6_7"]
    assert [item.name for item in folder.dataset("val").items] == ["2_13"]
    assert any("train: 22 tiles missing: 2_11, " in note for note in folder.notes)
    assert len(TILES.splits["train"]) == 24
    assert len(TILES.splits["val"]) == 14
    assert not set(TILES.splits["train"]) & set(TILES.splits["val"])


def test_eroded_labels_are_taken_first(tmp_path: Path) -> None:
    write_potsdam(tmp_path, "2_10")
    masks = {}
    for labels in ("auto", "eroded", "full"):
        layout = read(tmp_path, labels=labels)
        assert layout.masks is not None
        masks[labels] = layout.masks.read(layout.splits["train"][0])
    np.testing.assert_array_equal(masks["auto"], masks["eroded"])
    assert set(np.unique(masks["eroded"])) == {0, 1, 2, 3, 4, 5, 255}
    assert set(np.unique(masks["full"])) == {0, 1, 2, 3, 4, 5}
    inside = masks["eroded"] != 255
    np.testing.assert_array_equal(masks["eroded"][inside], masks["full"][inside])


def test_clutter_can_be_left_out(tmp_path: Path) -> None:
    layout = read(write_potsdam(tmp_path, "2_10"), clutter=False)
    assert layout.masks is not None
    assert layout.masks.classes.num_classes == 5
    assert set(np.unique(layout.masks.read(layout.splits["train"][0]))) == {0, 1, 2, 3, 4, 255}
    with pytest.raises(UsageError, match=r"clutter='false': should be true or false"):
        read(tmp_path, clutter="false")  # type: ignore[arg-type]


def test_other_bands_and_skipped_tiles(tmp_path: Path) -> None:
    write_potsdam(tmp_path, "2_10", "7_10", bands="IRRG")
    layout = read(tmp_path, bands="IRRG", skip="7_10")
    assert [item.name for item in layout.splits["train"]] == ["2_10"]
    with pytest.raises(DataError, match=r"no photos of ISPRS Potsdam; unpack 2_Ortho_RGB\.zip"):
        read(tmp_path)
    with pytest.raises(UsageError, match=r"bands='RGBIR': should be one of RGB, IRRG"):
        read(tmp_path, bands="RGBIR")
    with pytest.raises(UsageError, match=r"labels='no': should be one of auto, eroded, full"):
        read(tmp_path, labels="no")


def test_patches_agree_with_tiles(tmp_path: Path) -> None:
    raw, out = write_potsdam(tmp_path / "raw", "2_10", "3_14"), tmp_path / "out"
    prepare("potsdam", raw, out, partial=True, workers=0, patch=16, overlap=4, clutter=False)
    stored = sorted(path.name for path in (out / "ann_dir/train").iterdir())
    assert stored == [
        *("2_10_0_0_16_16.png", "2_10_0_4_16_20.png", "2_10_12_0_28_16.png"),
        *("2_10_12_4_28_20.png", "2_10_14_0_30_16.png", "2_10_14_4_30_20.png"),
    ]
    patches, tiles = open_folder(out), open_folder(raw)
    assert patches.classes.num_classes == 5
    assert {item.group for item in patches.dataset("val").items} == {"3_14"}
    whole, expected = stitch_patches(patches.dataset("val"))[0], tiles.dataset("val")[0]
    np.testing.assert_array_equal(whole["image"], expected["image"])
    clutter = expected["mask"] == 5
    np.testing.assert_array_equal(whole["mask"], np.where(clutter, 255, expected["mask"]))
    assert read(out, skip=["3_14"]).splits["val"] == ()
    with pytest.raises(DataError, match=r"these are patches already"):
        plan(out)


def test_patches_hold_zero_where_nothing_counts(tmp_path: Path) -> None:
    raw = write_potsdam(tmp_path / "raw", "2_10", "3_14")
    prepare("potsdam", raw, tmp_path / "out", partial=True, workers=0, patch=32)
    from PIL import Image

    with Image.open(tmp_path / "out/ann_dir/train/2_10_0_0_32_32.png") as picture:
        stored = np.array(picture)
    assert set(np.unique(stored)) == set(range(7))
    assert (stored[20:] == 0).all()


def test_odd_folders_are_refused(tmp_path: Path) -> None:
    assert not POTSDAM.detect(tmp_path)
    save_pairs(tmp_path / "a", {"img_dir/train/1_2.png": "ann_dir/train/1_2.png"})
    assert not POTSDAM.detect(tmp_path / "a")
    write_potsdam(tmp_path / "b", "2_10")
    for path in (tmp_path / "b").rglob("*_label*.tif"):
        path.unlink()
    assert not POTSDAM.detect(tmp_path / "b")
    with pytest.raises(DataError, match=r"no labels of ISPRS Potsdam; unpack"):
        read(tmp_path / "b")
    write_potsdam(tmp_path / "c", "2_10")
    (tmp_path / "c/2_Ortho_RGB/top_potsdam_2_10_RGB.tif").rename(
        tmp_path / "c/2_Ortho_RGB/top_potsdam_2_11_RGB.tif"
    )
    with pytest.raises(DataError, match=r"no photo of ISPRS Potsdam has a mask"):
        read(tmp_path / "c")
    write_potsdam(tmp_path / "d/copy", "2_10")
    write_potsdam(tmp_path / "d", "2_10")
    with pytest.raises(DataError, match=r"are both of 2_10; keep one of them"):
        read(tmp_path / "d")


def test_a_broken_mask_is_refused(tmp_path: Path) -> None:
    write_potsdam(tmp_path, "2_10", "2_13")
    folder = open_folder(tmp_path)
    path = tmp_path / "5_Labels_all_noBoundary/top_potsdam_2_10_label_noBoundary.tif"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match=r"noBoundary\.tif"):
        folder.dataset("train").mask(0)


def test_half_of_it_is_not_prepared(tmp_path: Path) -> None:
    write_potsdam(tmp_path / "raw", "2_10", "3_14")
    with pytest.raises(DataError, match=r"train of ISPRS Potsdam has 24 pictures, found 1"):
        prepare("potsdam", tmp_path / "raw", tmp_path / "out", workers=0)


def test_a_real_patch(shared: Path) -> None:
    root = shared / "data/layout_samples/potsdam"
    assert POTSDAM.detect(root)
    layout = read(root)
    (item,) = layout.pool
    assert (item.name, item.group) == ("2_10_0_0_512_512", "2_10")
    assert layout.masks is not None
    counts = np.bincount(layout.masks.read(item).reshape(-1), minlength=256)
    assert counts[:5].tolist() == [100557, 64023, 34357, 30670, 7841]
    assert counts[255] == 24696
