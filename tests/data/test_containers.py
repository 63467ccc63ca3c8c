import zipfile
from pathlib import Path

import numpy as np
import pytest

from pictures import PHOTO, ids, save_picture
from segnext.data import open_folder
from segnext.data.containers import (
    file_size,
    is_file,
    is_folder,
    list_folder,
    read_bytes,
    read_text,
    walk_files,
)
from segnext.errors import DataError


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "roads.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("images/b/2.txt", "two")
        file.writestr("images/1.txt", "\ufeffone")
        file.writestr("images/.hidden/3.txt", "no")
        file.writestr("__MACOSX/images/._1.txt", "shadow")
        file.writestr("../outside.txt", "no")
    return path


def test_an_archive_reads_like_a_folder(archive: Path) -> None:
    images = archive / "images"
    assert is_folder(archive)
    assert is_folder(images)
    assert not is_folder(images / "1.txt")
    assert not is_folder(archive / "masks")
    assert is_file(images / "1.txt")
    assert not is_file(archive)
    assert list_folder(archive) == [images]
    assert list_folder(images) == [images / ".hidden", images / "1.txt", images / "b"]
    assert list(walk_files(archive)) == [images / "1.txt", images / "b/2.txt"]
    assert list(walk_files(images)) == [images / "1.txt", images / "b/2.txt"]
    assert read_text(images / "1.txt") == "one"
    assert read_bytes(images / "b/2.txt") == b"two"
    assert file_size(images / "b/2.txt") == 3


def test_what_is_not_in_an_archive_is_said_as_on_disk(archive: Path) -> None:
    for read in (read_bytes, file_size):
        with pytest.raises(FileNotFoundError):
            read(archive / "images/9.txt")
    with pytest.raises(DataError, match=r"9.txt: cannot be read \(No such file"):
        read_text(archive / "images/9.txt")


def test_a_broken_archive_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK no zip")
    with pytest.raises(DataError, match=r"a\.zip: cannot be opened as an archive .*copy it again"):
        is_folder(tmp_path / "a.zip")


def test_a_changed_archive_is_opened_again(archive: Path) -> None:
    assert is_file(archive / "images/1.txt")
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("images/9.txt", "nine")
    assert is_file(archive / "images/9.txt")


def test_a_data_set_in_an_archive_opens_in_place(tmp_path: Path) -> None:
    for split in ("train", "val"):
        for name in ("1", "2"):
            save_picture(tmp_path / f"roads/{split}/images/{name}.png", PHOTO)
            save_picture(tmp_path / f"roads/{split}/masks/{name}.png", ids(0, 1))
    with zipfile.ZipFile(tmp_path / "roads.zip", "w") as file:
        for path in (tmp_path / "roads").rglob("*.png"):
            file.write(path, path.relative_to(tmp_path / "roads"))
    unpacked, packed = open_folder(tmp_path / "roads"), open_folder(tmp_path / "roads.zip")
    assert packed.classes == unpacked.classes
    for one, other in zip(unpacked.dataset("train"), packed.dataset("train"), strict=True):
        np.testing.assert_array_equal(one["image"], other["image"])
        np.testing.assert_array_equal(one["mask"], other["mask"])
