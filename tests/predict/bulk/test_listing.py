import os
from pathlib import Path

import fsspec
import pytest

from segnext.errors import DataError, UsageError
from segnext.predict.bulk.listing import Listed, is_bulk_source, list_pictures


@pytest.fixture
def memory() -> fsspec.AbstractFileSystem:
    storage = fsspec.filesystem("memory")
    storage.pipe({"/photos/b.png": b"b", "/photos/a/x.JPG": b"x", "/photos/notes.md": b"n"})
    yield storage
    storage.rm("/photos", recursive=True)


def test_a_folder_is_listed_in_order_with_suffixes(tmp_path: Path) -> None:
    for name in ("b.png", "a.jpg", "a.png", "z/1.tif", "m/2.webp", "m/notes.txt", "m/k/3.bmp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    listed = list(list_pictures(str(tmp_path)))
    assert [picture.name for picture in listed] == [
        "a.jpg", "a.png", "b.png", "m/2.webp", "m/k/3.bmp", "z/1.tif",
    ]  # fmt: skip
    assert [picture.source for picture in listed] == [str(tmp_path / p.name) for p in listed]


def test_storage_is_listed_in_order(memory: fsspec.AbstractFileSystem) -> None:
    found = list(list_pictures("memory://photos"))
    assert found == [
        Listed("b.png", "memory:///photos/b.png"),
        Listed("a/x.JPG", "memory:///photos/a/x.JPG"),
    ]
    assert list(list_pictures("memory://photos/")) == found


def test_lines_of_a_text_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: fsspec.AbstractFileSystem
) -> None:
    text = "\n  photos/a.jpg\n/data/b.png\nhttps://host:80/c.jpg?id=1\ns3://bucket/d/../e.jpg\n"
    (tmp_path / "list.txt").write_text(text)
    monkeypatch.chdir(tmp_path)
    below = tmp_path.relative_to(tmp_path.anchor).as_posix()
    expected = [
        Listed(f"{below}/photos/a.jpg", str(tmp_path / "photos/a.jpg")),
        Listed("data/b.png", "/data/b.png"),
        Listed("https/host%3A80/c.jpg%3Fid=1", "https://host:80/c.jpg?id=1"),
        Listed("s3/bucket/d/%%2E%2E/e.jpg", "s3://bucket/d/../e.jpg"),
    ]
    assert list(list_pictures("list.txt")) == expected
    memory.pipe("/photos/list.txt", text.encode())
    assert list(list_pictures("memory://photos/list.txt")) == expected


def test_names_of_urls_are_different_and_fit_file_systems(tmp_path: Path) -> None:
    urls = [
        "s3://b/a.jpg", "s3://b//a.jpg", "s3://b/%2E/a.jpg", "s3://b/./a.jpg", "http://b/a.jpg",
        f"http://b/a.jpg?signature={'0' * 300}1", f"http://b/a.jpg?signature={'0' * 300}2",
    ]  # fmt: skip
    (tmp_path / "list.txt").write_text("\n".join(urls))
    names = [picture.name for picture in list_pictures(str(tmp_path / "list.txt"))]
    assert len({os.path.normpath(name) for name in names}) == len(urls)
    assert max(len(part) for name in names for part in name.split("/")) <= 200


def test_only_urls_and_text_files_are_sources_for_bulk_alone() -> None:
    assert is_bulk_source("s3://bucket/photos")
    assert is_bulk_source("list.TXT")
    assert not is_bulk_source("photos/")


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("nowhere", DataError, "nowhere: no such folder or list"),
        ("nowhere.txt", DataError, r"nowhere\.txt: cannot be read \(not found\)"),
        ("photo.jpg", UsageError, r"photo\.jpg: neither a folder nor a list \(\.txt\)"),
        ("empty", DataError, r"empty: no pictures \(\.bmp, \.jpeg, .*\) in it"),
        ("empty.txt", DataError, r"empty\.txt: no lines in it"),
        ("binary.txt", DataError, r"binary\.txt: not a text file in UTF-8"),
        ("https://host/photos", UsageError, r"HTTP has no listing; write the pictures' URLs"),
        ("memory://nowhere", DataError, r"memory://nowhere: cannot be listed \(not found\)"),
        ("memory://photos/b.png", UsageError, "not a folder; write URLs"),
        ("nothing://a", UsageError, "nothing://a: fsspec cannot open it"),
    ],
)
def test_what_cannot_be_listed_is_named(
    source: str,
    kind: type[Exception],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    memory: fsspec.AbstractFileSystem,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGNEXT_OFFLINE")
    (tmp_path / "empty").mkdir()
    (tmp_path / "photo.jpg").touch()
    (tmp_path / "empty.txt").write_text("\n\n")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(kind, match=message):
        list(list_pictures(source))
