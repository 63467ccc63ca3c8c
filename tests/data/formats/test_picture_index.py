import zipfile
from pathlib import Path

import pytest

from pictures import save_picture
from segnext.data.formats.picture_index import PictureIndex, choose_folder
from segnext.errors import DataError


def save(root: Path, *paths: str) -> Path:
    for path in paths:
        save_picture(root / path)
    return root


def test_the_file_name_decides(tmp_path: Path) -> None:
    index = PictureIndex(save(tmp_path, "images/a.jpg", "images/deep/b.png"))
    assert len(index) == 2
    assert index.find("/home/somebody/elsewhere/a.jpg", "x") == tmp_path / "images/a.jpg"
    assert index.find("C:\\photos\\b.png", "x") == tmp_path / "images/deep/b.png"
    assert index.find("../../b.png", "x") == tmp_path / "images/deep/b.png"
    assert index.name(tmp_path / "images/deep/b.png") == "images/deep/b"


def test_a_name_without_suffix_finds_any(tmp_path: Path) -> None:
    index = PictureIndex(save(tmp_path, "frame_01.png", "img.v2.jpg"))
    assert index.find("frame_01", "x") == tmp_path / "frame_01.png"
    assert index.find("frame_01.jpg", "x") == tmp_path / "frame_01.png"
    assert index.find("img.v2", "x") == tmp_path / "img.v2.jpg"


def test_folders_tell_pictures_of_one_name_apart(tmp_path: Path) -> None:
    save(tmp_path, "train/s1/a.jpg", "val/s1/a.jpg", "a.jpg")
    index = PictureIndex(tmp_path)
    assert index.find("old/train/s1/a.jpg", "x") == tmp_path / "train/s1/a.jpg"
    assert index.find("a.jpg", "x") == tmp_path / "a.jpg"
    with pytest.raises(DataError, match=r"here: 's1/a\.jpg' may mean train/s1/a\.jpg, val/s1/a"):
        index.find("s1/a.jpg", "here")


def test_other_spellings_are_tried_in_turn(tmp_path: Path) -> None:
    index = PictureIndex(save(tmp_path, "b.jpg"))
    assert index.find("a.jpg", "x", ["", "b.jpg"]) == tmp_path / "b.jpg"


def test_missing_picture(tmp_path: Path) -> None:
    index = PictureIndex(save(tmp_path, "images/a.jpg"), "images")
    with pytest.raises(DataError, match=r"t: there is no picture 'b\.jpg' below .*images \(1 are"):
        index.find("b.jpg", "t")
    with pytest.raises(DataError, match=r"there is no picture ''"):
        index.find("", "t")


def test_masks_are_no_pictures(tmp_path: Path) -> None:
    index = PictureIndex(save(tmp_path, "images/a.png", "masks/a.png", "SegmentationClass/b.png"))
    assert index.find("a.png", "x") == tmp_path / "images/a.png"
    assert len(index) == 1


def test_pictures_in_an_archive(tmp_path: Path) -> None:
    photo = save_picture(tmp_path / "a.jpg")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.write(photo, "images/a.jpg")
    index = PictureIndex(tmp_path / "set.zip")
    assert index.find("a.jpg", "x") == tmp_path / "set.zip/images/a.jpg"


@pytest.mark.parametrize("name", ["../photos", "/photos", "a/../../b", "C:\\photos"])
def test_folders_outside_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"leads out of the data set"):
        choose_folder(tmp_path, name)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"images: there is no folder photos"):
        PictureIndex(tmp_path, "photos")
