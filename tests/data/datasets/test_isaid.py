from pathlib import Path

import numpy as np
import pytest

from known_layouts import write_isaid_pictures
from pictures import save_picture
from segnext.data import open_folder
from segnext.data.datasets.isaid import CLASSES, ISAID, plan, read
from segnext.data.datasets.prepare import prepare
from segnext.data.stitching import stitch_patches
from segnext.errors import DataError, UsageError


@pytest.mark.parametrize("nested", [False, True])
def test_published_folders(tmp_path: Path, nested: bool) -> None:
    folder = open_folder(write_isaid_pictures(tmp_path, nested=nested))
    assert any("looks like iSAID" in note for note in folder.notes)
    names = {split: [item.name for item in part.items] for split, part in folder.splits.items()}
    assert names == {"train": ["P0002", "P1527"], "val": ["P0003"], "test": ["P0006"]}
    item = folder.dataset("val")[0]
    np.testing.assert_array_equal(item["mask"], np.arange(600).reshape(20, 30) % 16)


def test_background_counts() -> None:
    assert CLASSES.num_classes == 16
    assert CLASSES.names[0] == "background"
    assert CLASSES.colors[1] == (0, 0, 63)
    assert ISAID.zero == "background"


@pytest.mark.parametrize(
    ("options", "second"),
    [({}, "P0003_0_896_0_896"), ({"patch": 16, "overlap": 4}, "P0003_0_16_12_28")],
)
def test_patches_are_read_and_stitched(
    tmp_path: Path, options: dict[str, int], second: str
) -> None:
    raw, out = write_isaid_pictures(tmp_path / "raw"), tmp_path / "out"
    prepare("isaid", raw, out, partial=True, workers=0, skip="P1527", **options)
    assert (out / f"img_dir/val/{second}.png").is_file()
    assert (out / f"ann_dir/val/{second}_instance_color_RGB.png").is_file()
    assert not list(out.rglob("P1527*"))
    assert not (out / "img_dir/test").exists()
    patches, whole = open_folder(out), open_folder(raw).dataset("val")[0]
    assert {item.group for item in patches.dataset("train").items} == {"P0002"}
    stitched = stitch_patches(patches.dataset("val"))[0]
    np.testing.assert_array_equal(stitched["image"][:20, :30], whole["image"])
    np.testing.assert_array_equal(stitched["mask"][:20, :30], whole["mask"])
    assert (stitched["mask"][20:] == 255).all()
    with pytest.raises(DataError, match=r"out: holds patches already"):
        plan(out)


def test_what_others_prepared(tmp_path: Path) -> None:
    for split in ("train", "val"):
        stem = f"{split}/P0002_0_16_14_30"
        save_picture(tmp_path / f"img_dir/{stem}.png")
        mask = np.full((20, 30), 15, np.uint8)
        save_picture(tmp_path / f"ann_dir/{stem}_instance_color_RGB.png", mask)
    save_picture(tmp_path / "img_dir/test/P0006.png")
    assert ISAID.detect(tmp_path)
    folder = open_folder(tmp_path)
    assert folder.dataset("train").items[0].group == "P0002"
    assert (folder.dataset("train").mask(0) == 15).all()
    assert folder.dataset("test").items[0].name == "P0006"
    assert read(tmp_path, skip=["P0002"]).splits["train"] == ()


def test_masks_without_pictures_are_told(tmp_path: Path) -> None:
    write_isaid_pictures(tmp_path)
    (tmp_path / "train/images/P1527.png").unlink()
    assert any("train: 1 masks without a picture" in note for note in read(tmp_path).notes)
    for path in tmp_path.rglob("P*.png"):
        if "_" not in path.name:
            path.unlink()
    with pytest.raises(DataError, match=r"no picture such as train/images/P0002\.png has its mask"):
        read(tmp_path)


def test_odd_folders_are_refused(tmp_path: Path) -> None:
    assert not ISAID.detect(tmp_path / "absent")
    save_picture(tmp_path / "train/images/P0002.png")
    assert not ISAID.detect(tmp_path)
    write_isaid_pictures(tmp_path)
    save_picture(tmp_path / "train/copy/P0002.png")
    with pytest.raises(DataError, match=r"are both of P0002; keep one of them"):
        read(tmp_path)
    with pytest.raises(UsageError, match=r"skip=True: should be names"):
        read(tmp_path, skip=True)
    with pytest.raises(UsageError, match=r"patches of 8 px cannot overlap by 9 px"):
        plan(tmp_path, patch=8, overlap=9)


def test_unknown_colors_and_broken_masks_are_refused(tmp_path: Path) -> None:
    folder = open_folder(write_isaid_pictures(tmp_path))
    path = tmp_path / "val/images/P0003_instance_color_RGB.png"
    save_picture(path, np.full((20, 30, 3), (0, 0, 64), np.uint8))
    with pytest.raises(DataError, match=r"P0003_.*: 600 pixels have the colour 0,0,64"):
        folder.dataset("val").mask(0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(DataError, match=r"P0003_instance_color_RGB\.png"):
        folder.dataset("val").mask(0)


def test_half_of_it_is_not_prepared(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train of iSAID has 1,411 pictures, found 2"):
        prepare("isaid", write_isaid_pictures(tmp_path / "raw"), tmp_path / "out", workers=0)


def test_real_pictures(shared: Path) -> None:
    folder = open_folder(shared / "data/isaid_sample")
    assert {split: len(part) for split, part in folder.splits.items()} == {"train": 1, "val": 2}
    mask = folder.dataset("train").mask(0)
    assert mask.shape == (977, 884)
    assert {CLASSES.names[label] for label in np.unique(mask)} == {
        *("background", "Small_Vehicle", "Large_Vehicle"),
    }
