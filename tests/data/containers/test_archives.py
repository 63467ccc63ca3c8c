import io
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from segnext.data.containers import archives
from segnext.data.containers.archives import TarArchive, ZipArchive, member_name, read_piece
from segnext.errors import DataError


def zip_of(path: Path, content: bytes = b"road" * 1000, packing: int = 8) -> Path:
    with zipfile.ZipFile(path, "w", packing) as file:
        file.writestr("a.txt", content)
    return path


def change(path: Path, magic: bytes, offset: int, value: bytes) -> Path:
    """Overwrite a field of a zip's only local header or directory entry."""
    data = bytearray(path.read_bytes())
    place = data.index(magic) + offset
    data[place : place + len(value)] = value
    path.write_bytes(data)
    return path


DIRECTORY, LOCAL = b"PK\1\2", b"PK\3\4"


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_of_a_zip(tmp_path: Path, packing: int) -> None:
    archive = ZipArchive(zip_of(tmp_path / "a.zip", packing=packing))
    assert archive.names() == ("a.txt",)
    assert archive.size("a.txt") == 4000
    assert archive.read("a.txt") == b"road" * 1000
    archive.prefetch()
    with pytest.raises(KeyError):
        archive.read("b.txt")


def test_a_zip_with_something_before_it_is_read(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip")
    path.write_bytes(b"#!/bin/sh unpacks itself\n" + path.read_bytes())
    assert ZipArchive(path).read("a.txt") == b"road" * 1000


def test_more_than_declared_is_never_unpacked(tmp_path: Path) -> None:
    path = change(zip_of(tmp_path / "a.zip"), DIRECTORY, 24, struct.pack("<I", 10))
    with pytest.raises(DataError, match=r"declares 10 bytes and holds others"):
        ZipArchive(path).read("a.txt")


def test_less_than_declared_is_an_error(tmp_path: Path) -> None:
    path = change(zip_of(tmp_path / "a.zip"), DIRECTORY, 24, struct.pack("<I", 5000))
    with pytest.raises(DataError, match=r"declares 5,000 bytes and holds others"):
        ZipArchive(path).read("a.txt")


def test_what_no_picture_unpacks_to_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zip_of(tmp_path / "a.zip", bytes(1_000_000))
    assert len(ZipArchive(path).read("a.txt")) == 1_000_000
    monkeypatch.setattr(archives, "_SUSPICIOUS_BYTES", 100_000)
    with pytest.raises(DataError, match=r"unpacks from [\d,]+ to 1,000,000 bytes, as no picture"):
        ZipArchive(path).read("a.txt")


def test_too_large_a_member_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MAX_MEMBER_BYTES", 100)
    with pytest.raises(DataError, match=r"4,000 bytes are more than a member may have, 100"):
        ZipArchive(zip_of(tmp_path / "a.zip")).read("a.txt")
    with pytest.raises(DataError, match=r"101 bytes are more than a member may have"):
        read_piece(tmp_path / "a.zip", 0, 101)


def test_encrypted_members_are_named(tmp_path: Path) -> None:
    path = change(zip_of(tmp_path / "a.zip"), DIRECTORY, 8, struct.pack("<H", 1))
    with pytest.raises(DataError, match=r"is encrypted; .* without a password"):
        ZipArchive(path).read("a.txt")


def test_packings_without_a_limit_are_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", packing=zipfile.ZIP_BZIP2)
    with pytest.raises(DataError, match=r"packed with bzip2, .* again with deflate"):
        ZipArchive(path).read("a.txt")


def test_damage_is_found(tmp_path: Path) -> None:
    path = change(zip_of(tmp_path / "a.zip", packing=0), LOCAL, 40, b"XX")
    with pytest.raises(DataError, match=r"checksum is wrong"):
        ZipArchive(path).read("a.txt")
    path = change(zip_of(tmp_path / "b.zip"), LOCAL, 0, b"XX")
    with pytest.raises(DataError, match=r"does not begin where the archive says"):
        ZipArchive(path).read("a.txt")
    path = change(zip_of(tmp_path / "c.zip"), LOCAL, 35, b"\xff" * 8)
    with pytest.raises(DataError, match=r"cannot be read from the archive .* copy the archive"):
        ZipArchive(path).read("a.txt")
    path = change(zip_of(tmp_path / "d.zip"), DIRECTORY, 20, struct.pack("<I", 1 << 30))
    with pytest.raises(DataError, match=r"beyond the end of the archive"):
        ZipArchive(path).read("a.txt")
    (tmp_path / "e.zip").write_bytes(b"PK\3\4")
    with pytest.raises(DataError, match=r"cannot be opened as an archive .*; copy it again"):
        ZipArchive(tmp_path / "e.zip")


def test_members_of_a_tar(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as file:
        for name, content in (("./b/1.txt", b"old"), ("b//1.txt", b"newer"), ("../2.txt", b"no")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    archive = TarArchive(path)
    assert archive.names() == ("b/1.txt",)
    assert archive.size("b/1.txt") == 5
    assert archive.read("b/1.txt") == b"newer"
    archive.prefetch()
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(DataError, match=r"only 0 of its 5 bytes are there"):
        archive.read("b/1.txt")


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("./a//b.png", "a/b.png"),
        ("/etc/passwd", ""),
        ("a/../../b.png", ""),
        ("__MACOSX/._a.png", ""),
        (".", ""),
        ("a/.hidden", "a/.hidden"),
    ],
)
def test_only_what_lies_inside_has_a_name(written: str, name: str) -> None:
    assert member_name(written) == name
