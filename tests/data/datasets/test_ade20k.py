import zipfile
from pathlib import Path

import numpy as np
import pytest

from pictures import ids, save_picture
from segnext.data.datasets.ade20k import CLASSES, detect, read
from segnext.data.folder import open_folder
from segnext.errors import DataError, UsageError


def save_ade(root: Path) -> Path:
    for split, folder in (("train", "training"), ("val", "validation")):
        for number in (1, 2):
            name = f"ADE_{split}_{number:08}"
            save_picture(root / f"images/{folder}/{name}.jpg")
            save_picture(root / f"annotations/{folder}/{name}.png", ids(0, 1, 150))
    return root


def test_zero_is_reduced_already(tmp_path: Path) -> None:
    save_ade(tmp_path)
    (tmp_path / "data.yaml").write_text("format: ade20k\nreduce_zero_label: true\n")
    with pytest.raises(UsageError, match=r"raw id 0 is void already and wall the first class"):
        open_folder(tmp_path)


@pytest.mark.parametrize("inside", ["", "ADEChallengeData2016"])
def test_masks_lose_void_and_keep_the_rest(tmp_path: Path, inside: str) -> None:
    save_ade(tmp_path / inside)
    assert detect(tmp_path)
    folder = open_folder(tmp_path)
    assert {split: len(part) for split, part in folder.splits.items()} == {"train": 2, "val": 2}
    item = folder.dataset("train")[1]
    assert item["name"] == "ADE_train_00000002"
    np.testing.assert_array_equal(item["mask"], ids(255, 0, 149))
    assert folder.classes == CLASSES
    assert any(note.startswith("looks like ADE20K") for note in folder.notes)


def test_the_archive_is_read_as_it_is(tmp_path: Path) -> None:
    save_ade(tmp_path / "ADEChallengeData2016")
    archive = tmp_path / "ADEChallengeData2016.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in (tmp_path / "ADEChallengeData2016").rglob("*.*"):
            packed.write(path, path.relative_to(tmp_path))
    assert detect(archive)
    np.testing.assert_array_equal(open_folder(archive).dataset("val")[0]["mask"], ids(255, 0, 149))


def test_test_pictures_have_no_masks(tmp_path: Path) -> None:
    save_ade(tmp_path / "ADEChallengeData2016")
    save_picture(tmp_path / "release_test/testing/ADE_test_00000001.jpg")
    (item,) = read(tmp_path).splits["test"]
    assert (item.name, item.mask_path) == ("ADE_test_00000001", None)


def test_unknown_label_and_broken_mask(tmp_path: Path) -> None:
    save_ade(tmp_path)
    save_picture(tmp_path / "annotations/training/ADE_train_00000001.png", ids(0, 151))
    (tmp_path / "annotations/training/ADE_train_00000002.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    train = open_folder(tmp_path, format="ade20k").dataset("train")
    with pytest.raises(DataError, match=r"ADE_train_00000001\.png: 300 pixels hold the value 151"):
        train.mask(0)
    with pytest.raises(DataError, match=r"ADE_train_00000002\.png"):
        train.mask(1)


def test_pictures_without_a_mask_are_left_out(tmp_path: Path) -> None:
    save_ade(tmp_path)
    (tmp_path / "annotations/training/ADE_train_00000001.png").unlink()
    layout = read(tmp_path)
    assert [item.name for item in layout.splits["train"]] == ["ADE_train_00000002"]
    assert any("train: 1 images without a mask" in note for note in layout.notes)


def test_other_folders_are_not_ade(tmp_path: Path) -> None:
    save_picture(tmp_path / "images/training/1.jpg")
    save_picture(tmp_path / "annotations/training/1.png", ids(0, 1))
    assert not detect(tmp_path)
    (tmp_path / "empty").mkdir()
    message = r"empty: no images/training .*found nothing\. Get it: ADEChallengeData2016\.zip"
    with pytest.raises(DataError, match=message):
        read(tmp_path / "empty")
