import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from checked_folders import photo, stripes, write_data, write_pair
from pictures import save_picture
from segnext.data import open_folder
from segnext.data.checkup import Finding, quick, quick_check

MASK = stripes([0, 1])


def look(root: Path, **options: Any) -> list[Finding]:
    return quick_check(open_folder(root, **options))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_data(tmp_path / "data", MASK, "a, b")


def test_right_data_have_no_findings(root: Path) -> None:
    assert look(root) == []


def test_wrong_masks_keep_the_words_of_their_reader(root: Path) -> None:
    write_pair(root, "val", "strange", stripes([0, 9]))
    save_picture(root / "train/masks/train_0.png", MASK[:20])
    wrong, small = look(root)[::-1]
    assert (wrong.code, wrong.severity, wrong.count) == ("wrong_masks", "error", 1)
    assert wrong.title.endswith("else declare it in classes.txt or label_mapping")
    assert "val/masks/strange.png: 960 pixels hold the value 9" in wrong.title
    assert small.title.endswith("draw the mask on the picture's own pixels")


def test_an_empty_split_is_an_error(root: Path) -> None:
    folder = open_folder(root)
    empty = folder.splits["val"].__class__("val", (), 3, folder.splits["val"].reader)
    folder.splits["val"] = empty
    (finding,) = quick_check(folder)
    assert finding.title == f"{root}: the val split is empty"
    assert finding.severity == "error"


def test_masks_without_a_counted_pixel_are_counted(root: Path) -> None:
    write_pair(root, "train", "empty", stripes([255]))
    (finding,) = look(root)
    assert finding.severity == "warning"
    assert finding.title.startswith("1 train mask holds nothing that counts, of 4 looked at, such")
    everything = write_data(root.with_name("void"), stripes([3]), "a, b")
    findings = look(everything, ignore_index=(3,))
    assert {finding.severity for finding in findings} == {"error"}


def test_a_class_that_train_lacks_is_a_warning(root: Path) -> None:
    (root / "classes.txt").write_text("a\nb\nc\n")
    write_pair(root, "val", "more", stripes([0, 2]))
    (finding,) = look(root)
    assert finding.severity == "warning"
    assert finding.title.startswith("c: in val, but not in train")


def test_nothing_is_said_about_classes_from_a_sample(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick, "MASKS", 2)
    (root / "classes.txt").write_text("a\nb\nc\n")
    assert look(root) == []


def test_equal_files_in_train_and_val_are_a_leak(root: Path) -> None:
    shutil.copy(root / "train/images/train_1.png", root / "val/images/copy.png")
    shutil.copy(root / "train/masks/train_1.png", root / "val/masks/copy.png")
    (finding,) = look(root)
    assert finding.severity == "warning"
    assert finding.title == (
        "leak: 1 picture lies in train and val as equal files, so scores flatter, such as "
        "train/images/train_1.png and val/images/copy.png"
    )


def test_frames_of_one_sequence_are_a_leak(root: Path) -> None:
    shutil.rmtree(root)
    coarse = photo("landscape", 3, 20)
    landscape = np.asarray(cv2.resize(coarse, (960, 48), interpolation=cv2.INTER_CUBIC))
    for number in range(30):
        split = "val" if number % 5 == 2 else "train"
        view = landscape[:, number * 16 : number * 16 + 96]
        save_picture(root / split / "images" / f"f{number:02}.png", view)
        save_picture(root / split / "masks" / f"f{number:02}.png", np.resize(MASK, (48, 96)))
    (finding,) = look(root)
    assert finding.code == "neighbouring_frames"
    assert "consecutive frames of one sequence lie in train and val" in finding.title
    assert "--group keeps them together" in finding.title


def test_few_files_are_read_whatever_the_size(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for index in range(30):
        write_pair(root, "train", f"more{index}", MASK)
    for name in ("MASKS", "COMPARED", "BORDERS"):
        monkeypatch.setattr(quick, name, 3)
    read: list[str] = []
    original = quick.FolderDataset.checked_mask

    def spy(part: Any, index: int) -> Any:
        read.append(part.split)
        return original(part, index)

    monkeypatch.setattr(quick.FolderDataset, "checked_mask", spy)
    look(root)
    assert sorted(read) == ["train"] * 3 + ["val"] * 2
