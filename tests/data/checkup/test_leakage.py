import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from checked_folders import check, codes, find, photo, stripes, write_data, write_pair
from pictures import save_picture

MASK = stripes([0, 1])


def smooth(seed: object, height: int = 64, width: int = 80) -> np.ndarray:
    """Return a picture with large shapes, which survive resizing."""
    coarse = photo(seed, 5, 6)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))


def copy_pair(root: Path, source: tuple[str, str], target: tuple[str, str]) -> None:
    for kind in ("images", "masks"):
        shutil.copy(
            root / source[0] / kind / f"{source[1]}.png",
            root / target[0] / kind / f"{target[1]}.png",
        )


def test_equal_files_across_splits_are_an_error_and_within_one_a_warning(tmp_path: Path) -> None:
    write_data(tmp_path, MASK, "a, b")
    assert not {"same_picture_in_splits", "same_picture_twice"} & codes(check(tmp_path)).keys()
    copy_pair(tmp_path, ("train", "train_0"), ("val", "copy"))
    copy_pair(tmp_path, ("train", "train_1"), ("train", "again"))
    checkup = check(tmp_path)
    across = find(checkup, "same_picture_in_splits")
    assert across.severity == "error"
    assert across.examples == ("train/images/train_0.png (train) = val/images/copy.png (val)",)
    within = find(checkup, "same_picture_twice")
    assert within.severity == "warning"
    assert within.count == 1
    assert "contradicting_masks" not in codes(checkup)
    save_picture(tmp_path / "train/masks/again.png", stripes([0, 1, 1]))
    assert find(check(tmp_path), "contradicting_masks").count == 1


def test_one_copy_in_very_many_pictures_does_not_spoil_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segnext.data.checkup.leakage.SPOILT_SHARE", 0.5)
    write_data(tmp_path, MASK, "a, b")
    copy_pair(tmp_path, ("train", "train_0"), ("val", "copy"))
    checkup = check(tmp_path)
    assert find(checkup, "same_picture_in_splits").severity == "warning"
    assert checkup.passed


def test_empty_tiles_are_no_copies(tmp_path: Path) -> None:
    write_data(tmp_path, MASK, "a, b")
    for split in ("train", "val"):
        write_pair(tmp_path, split, f"empty_{split}", MASK)
        save_picture(
            tmp_path / split / "images" / f"empty_{split}.png", np.zeros((40, 48, 3), np.uint8)
        )
    assert "same_picture_in_splits" not in codes(check(tmp_path))


def test_similar_pictures_across_splits_are_found(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        save_picture(tmp_path / f"train/images/{name}.png", smooth(name))
        save_picture(tmp_path / f"train/masks/{name}.png", np.resize(MASK, (64, 80)))
    save_picture(tmp_path / "val/images/x.jpg", smooth("b", 32, 40), quality=90)
    save_picture(tmp_path / "val/masks/x.png", np.resize(MASK, (32, 40)))
    save_picture(tmp_path / "val/images/y.png", smooth("y"))
    save_picture(tmp_path / "val/masks/y.png", np.resize(MASK, (64, 80)))
    finding = find(check(tmp_path), "similar_pictures")
    assert finding.title.startswith("1 of 2 val pictures nearly repeat one of 3 in train")
    assert finding.examples == ("val/images/x.jpg is like train/images/b.png",)


def test_divided_groups_are_named(tmp_path: Path) -> None:
    for split, names in (("train", ("a_1", "a_2", "b_1")), ("val", ("a_3", "c_1"))):
        for name in names:
            write_pair(tmp_path, split, name, MASK)
    finding = find(check(tmp_path, group=r"^(\w)_"), "divided_groups")
    assert finding.title == "1 group lies in several splits, of 3 in all."
    assert finding.examples == ("a: 2 in train, 1 in val",)
    assert "divided_groups" not in codes(check(tmp_path))


def test_neighbouring_frames_are_found(tmp_path: Path) -> None:
    long = smooth("landscape", 64, 1600)
    for number in range(24):
        split = "val" if number % 4 == 3 else "train"
        view = long[:, number * 30 : number * 30 + 128]
        save_picture(tmp_path / split / "images" / f"drive_{number:03}.png", view)
        save_picture(
            tmp_path / split / "masks" / f"drive_{number:03}.png", np.resize(MASK, (64, 128))
        )
    finding = find(check(tmp_path), "neighbouring_frames")
    assert finding.count >= 8
    assert "train and val" in finding.title
    assert finding.examples[0].startswith("drive_00")
    assert "--group" in finding.remedy


def test_overlapping_tiles_are_found(tmp_path: Path) -> None:
    places = {"train": [("a", 0), ("b", 100)], "val": [("c", 200), ("d", 150)]}
    for split, tiles in places.items():
        for name, left in tiles:
            path = tmp_path / split / "images" / f"{name}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            tags = [
                (33550, 12, 3, (1.0, 1.0, 0.0), True),
                (33922, 12, 6, (0.0, 0.0, 0.0, float(left), 500.0, 0.0), True),
            ]
            tifffile.imwrite(path, photo(name, 100, 100), extratags=tags)
            save_picture(tmp_path / split / "masks" / f"{name}.png", np.resize(MASK, (100, 100)))
    finding = find(check(tmp_path), "overlapping_tiles")
    assert finding.title == "1 of 2 GeoTIFFs of val show ground that those of train show too."
    assert finding.examples == ("val/images/d.tif: 50.0 % of it lies in train/images/b.tif",)
