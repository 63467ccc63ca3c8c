import multiprocessing
import os
import tarfile
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pictures import PHOTO, ids, save_picture, save_splits
from segnext.data import open_folder
from segnext.data.containers import paths as container_paths
from segnext.data.containers.paths import (
    file_size,
    find_packed_folder,
    is_file,
    is_folder,
    list_folder,
    prefetch,
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
    for use in (list_folder, find_packed_folder):
        with pytest.raises(DataError, match=r"a\.zip: cannot be opened as an archive .*copy it"):
            use(tmp_path / "a.zip")
    # One archive of many beside each other; whoever only passes by does not open it.
    assert is_folder(tmp_path / "a.zip")


def test_a_changed_archive_is_opened_again(archive: Path) -> None:
    assert is_file(archive / "images/1.txt")
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("images/9.txt", "nine")
    assert is_file(archive / "images/9.txt")


def test_a_tar_reads_like_a_folder(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b/1.txt").write_text("one")
    with tarfile.open(tmp_path / "roads.tar", "w") as file:
        file.add(tmp_path / "b", "b")
    assert list_folder(tmp_path / "roads.tar") == [tmp_path / "roads.tar/b"]
    assert read_text(tmp_path / "roads.tar/b/1.txt") == "one"
    prefetch(tmp_path / "roads.tar/b/1.txt")


def test_folders_with_an_archives_suffix_are_folders(tmp_path: Path) -> None:
    (tmp_path / "roads.zip").mkdir()
    (tmp_path / "roads.zip/1.txt").write_text("one")
    assert list_folder(tmp_path / "roads.zip") == [tmp_path / "roads.zip/1.txt"]
    assert read_text(tmp_path / "roads.zip/1.txt") == "one"
    assert find_packed_folder(tmp_path / "roads.zip") is None


def test_an_archive_in_an_archive_is_a_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("b.zip", b"PK")
    assert is_file(tmp_path / "a.zip/b.zip")
    assert not is_file(tmp_path / "a.zip/b.zip/c.txt")


def test_a_broken_member_is_named_with_its_path(archive: Path) -> None:
    data = archive.read_bytes()
    archive.write_bytes(data.replace(b"two", b"owt"))
    with pytest.raises(DataError, match=r"roads\.zip/images/b/2\.txt: cannot be .*checksum"):
        read_bytes(archive / "images/b/2.txt")


def test_neighbours_with_a_common_beginning_stay_apart(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        for name in ("a/1", "a-b/2", "a0/3", "a.b", "a/c/4"):
            file.writestr(name, name)
    root = tmp_path / "a.zip"
    assert list(walk_files(root / "a")) == [root / "a/1", root / "a/c/4"]
    assert list_folder(root) == [root / name for name in ("a", "a-b", "a.b", "a0")]
    assert list_folder(root / "a/c") == [root / "a/c/4"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are never forked there")
def test_many_threads_and_a_fork_read_one_archive(tmp_path: Path) -> None:
    contents = {f"{number:03d}.bin": bytes([number]) * 5000 for number in range(200)}
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in contents.items():
            file.writestr(name, content)
    paths = [tmp_path / "a.zip" / name for name in contents] * 3
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(read_bytes, paths)) == [*contents.values()] * 3
    opened = container_paths._open.cache_info().currsize
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of any thread
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map(read_bytes, paths[:50]) == [*contents.values()][:50]
    assert container_paths._open.cache_info().currsize == opened


@pytest.mark.parametrize("top", ["roads", "downloads/roads", "train"])
def test_a_folder_that_was_packed_with_its_own_name_is_found(tmp_path: Path, top: str) -> None:
    save_splits(tmp_path / "roads", train=2, val=1)
    inner = tmp_path / "roads" / ("train" if top == "train" else "")
    with zipfile.ZipFile(tmp_path / "roads.zip", "w") as file:
        file.writestr(f"{top}/classes.txt", "road\nsky\n")
        for path in inner.rglob("*.*"):
            file.write(path, f"{top}/{path.relative_to(inner)}")
    folder = open_folder(tmp_path / "roads.zip")
    counts = {split: len(part) for split, part in folder.splits.items()}
    # The folder `train` is part of the layout, and its val is carved from it.
    assert counts == ({"train": 1, "val": 1} if top == "train" else {"train": 2, "val": 1})
    assert folder.classes.names == (("class_0", "class_1") if top == "train" else ("road", "sky"))


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
