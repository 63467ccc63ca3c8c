import zipfile
from pathlib import Path

import numpy as np
import pytest

from opening import masks_by_name
from pictures import ids, save_picture, save_splits
from segnext.data.folder import open_folder
from segnext.data.formats.roboflow import detect, read, read_pixel_values
from segnext.errors import DataError

CLASSES = "Pixel Value, Class\n0, background\n1, car\n2, road\n"


def save(root: Path, *folders: str, classes: str = CLASSES) -> Path:
    for folder in folders:
        name = f"{root.name}_{folder or 'all'}_jpg.rf.12ab"
        save_picture(root / folder / f"{name}.jpg")
        save_picture(root / folder / f"{name}_mask.png", ids(0, 1, 2))
        (root / folder / "_classes.csv").write_text(classes)
    (root / "README.dataset.txt").write_text("from Roboflow")
    return root


def test_an_export_is_found_and_read(tmp_path: Path) -> None:
    folder = open_folder(save(tmp_path / "set", "train", "valid", "test"))
    assert folder.classes.names == ("background", "car", "road")
    assert {split: len(part) for split, part in folder.splits.items()} == {
        "train": 1,
        "val": 1,
        "test": 1,
    }
    assert any("looks like semantic segmentation masks of Roboflow" in n for n in folder.notes)
    masks = masks_by_name(tmp_path / "set")
    assert sorted(masks)[0] == "test/set_test_jpg.rf.12ab"
    for mask in masks.values():
        np.testing.assert_array_equal(mask, ids(0, 1, 2))


def test_an_unlabelled_class_stays_a_class(tmp_path: Path) -> None:
    save(tmp_path / "set", "train", classes=CLASSES.replace("background", "unlabeled"))
    layout = read(tmp_path / "set")
    assert layout.masks is not None
    assert layout.masks.classes.names == ("unlabeled", "car", "road")


def test_values_with_gaps(tmp_path: Path) -> None:
    layout = read(save(tmp_path / "set", "train", classes="Pixel Value, Class\n2, b\n0, a\n1, c"))
    assert layout.masks is not None
    assert layout.masks.classes.names == ("a", "c", "b")
    gap = save(tmp_path / "gap", "train", "valid", classes=CLASSES.replace("1, car\n", ""))
    with pytest.raises(DataError, match=r"200 pixels hold the value 1, which is none of the 2"):
        masks_by_name(gap)


def test_one_folder_is_a_pool(tmp_path: Path) -> None:
    save(tmp_path / "set", "")
    assert [item.name for item in read(tmp_path / "set").pool] == ["set_all_jpg.rf.12ab"]


def test_an_export_in_an_archive(tmp_path: Path) -> None:
    save(tmp_path / "set", "train", "valid")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in (tmp_path / "set").rglob("*.*"):
            archive.write(path, path.relative_to(tmp_path / "set"))
    assert len(masks_by_name(tmp_path / "set.zip")) == 2


def test_pictures_that_do_not_pair_are_said(tmp_path: Path) -> None:
    root = save(tmp_path / "set", "train")
    save_picture(root / "train/new.jpg")
    save_picture(root / "train/lost_mask.png", ids(0))
    notes = read(root).notes
    assert any("1 masks without an image: lost_mask.png" in note for note in notes)
    assert "train: 1 images without a mask left out: train/new" in notes


def test_nothing_pairs(tmp_path: Path) -> None:
    root = save(tmp_path / "set", "train")
    (root / "train/set_train_jpg.rf.12ab.jpg").rename(root / "train/other.jpg")
    with pytest.raises(
        DataError, match=r"train: no picture has a mask of its name with _mask\.png"
    ):
        read(root)
    (root / "train/other.jpg").unlink()
    with pytest.raises(DataError, match=r"train: holds no picture"):
        read(root)


def test_two_pictures_of_one_name(tmp_path: Path) -> None:
    root = save(tmp_path / "set", "train")
    save_picture(root / "train/set_train_jpg.rf.12ab.png")
    with pytest.raises(DataError, match=r"have one name; remove or rename one of them"):
        read(root)


def test_splits_must_list_the_same_classes(tmp_path: Path) -> None:
    root = save(tmp_path / "set", "train")
    save(root, "valid", classes=CLASSES.replace("car", "bus"))
    with pytest.raises(DataError, match=r"valid/_classes\.csv: lists other classes than .*train"):
        read(root)


def test_missing_folder_and_broken_mask(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no _classes\.csv in train, valid or test"):
        read(tmp_path)
    root = save(tmp_path / "set", "train")
    (root / "train/set_train_jpg.rf.12ab_mask.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"_mask\.png: the file is empty"):
        read(root)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("filename, car, road\na.jpg, 1, 0\n", r"must start with the line `Pixel Value, Class`"),
        ("", r"must start with the line"),
        ("Pixel Value, Class\nx, car\n", r"line 2: 'x, car' is no pixel value and class"),
        ("Pixel Value, Class\n0, a\n\n1\n", r"line 4: '1' is no pixel value"),
        ("Pixel Value, Class\n123456, a\n", r"line 2: '123456, a' is no pixel value"),
    ],
)
def test_broken_classes(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "_classes.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_pixel_values(tmp_path / "_classes.csv")


def test_other_folders_are_not_taken_for_exports(tmp_path: Path) -> None:
    save_splits(tmp_path, train=1, val=1)
    assert not detect(tmp_path)
    # Roboflow's export for classification has a file of the same name.
    (tmp_path / "train/_classes.csv").write_text("filename, car, road\na.jpg, 1, 0\n")
    assert not detect(tmp_path)
    assert not detect(tmp_path / "nowhere")
