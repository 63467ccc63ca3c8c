import gzip
import io
import tarfile
from pathlib import Path

import pytest

from segnext.data.containers.tar_index import index_tar
from segnext.errors import DataError

LONG = "a-folder-with-a-name/" * 14 + "picture.png"
NAMES = ("a.jpg", "b/ü.png", LONG, "c" * 120, "empty")


def tar_of(path: Path, names: tuple[str, ...] = NAMES, *, kind: int = tarfile.GNU_FORMAT) -> Path:
    with tarfile.open(path, "w", format=kind) as file:
        folder = tarfile.TarInfo("b")
        folder.type = tarfile.DIRTYPE
        file.addfile(folder)
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        file.addfile(link)
        for number, name in enumerate(names):
            info = tarfile.TarInfo(name)
            info.size = 0 if name == "empty" else 700 * number + 1
            file.addfile(info, io.BytesIO(bytes([number]) * info.size))
    return path


@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_finds_what_pythons_reader_finds(tmp_path: Path, kind: int) -> None:
    path = tar_of(tmp_path / "a.tar", kind=kind)
    with tarfile.open(path) as file:
        expected = [(i.name, i.offset_data, i.size) for i in file if i.isreg()]
    assert index_tar(path) == expected
    assert [name for name, _, _ in expected] == list(NAMES)


def test_ustar_splits_long_names(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", (LONG[-200:],), kind=tarfile.USTAR_FORMAT)
    assert [name for name, _, _ in index_tar(path)] == [LONG[-200:]]


def test_sizes_beyond_octal_are_read(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", ("a",))
    data = bytearray(path.read_bytes())
    start = data.index(b"a\0")
    data[start + 124 : start + 136] = b"\x80" + (1 << 40).to_bytes(11, "big")
    header = bytes(data[start : start + 512])
    total = sum(header) - sum(header[148:156]) + 256
    data[start + 148 : start + 156] = b"%06o\0 " % total
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"is cut off"):
        index_tar(path)


@pytest.mark.parametrize("end", [100, 600, 2000, 2560, 5000])
def test_a_file_that_is_cut_off_is_an_error(tmp_path: Path, end: int) -> None:
    path = tar_of(tmp_path / "a.tar")
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(DataError, match=r"is cut off: the mark of the end is missing"):
        index_tar(path)


def test_an_empty_file_is_cut_off(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"")
    with pytest.raises(DataError, match=r"is cut off"):
        index_tar(tmp_path / "a.tar")


def test_a_member_that_lies_about_its_size_is_found(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", ("a", "b", "c"))
    data = bytearray(path.read_bytes())
    start = data.index(b"b\0", 1024)
    data[start + 124 : start + 136] = b"00000000001\0"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"is no tar file, or damaged at byte \d"):
        index_tar(path)


def test_no_tar_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"not a tar file " * 100)
    with pytest.raises(DataError, match=r"is no tar file, or damaged at byte 0; copy it again"):
        index_tar(tmp_path / "a.tar")


def test_compressed_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(gzip.compress(bytes(2000)))
    with pytest.raises(DataError, match=r"is compressed with gzip.*unpack it to \.tar"):
        index_tar(tmp_path / "a.tar")


def test_several_archives_behind_each_other_are_refused(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", ("a",))
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(DataError, match=r"holds several tar files"):
        index_tar(path)


def test_sparse_files_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as file:
        info = tarfile.TarInfo("a")
        info.pax_headers = {"GNU.sparse.major": "1"}
        file.addfile(info)
    with pytest.raises(DataError, match=r"holds a sparse file at byte \d+"):
        index_tar(tmp_path / "a.tar")


@pytest.mark.parametrize("record", [b"99999 path=a\n", b"x path=a\n", b"11 size=-1\n"])
def test_broken_extended_headers_are_errors(tmp_path: Path, record: bytes) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        for kind, content in ((b"x", record), (b"0", b"content")):
            info = tarfile.TarInfo("a")
            info.type, info.size = kind, len(content)
            file.addfile(info, io.BytesIO(content))
    if record.endswith(b"=-1\n"):
        assert [size for _, _, size in index_tar(tmp_path / "a.tar")] == [7]
    else:
        with pytest.raises(DataError, match=r"damaged at byte \d+"):
            index_tar(tmp_path / "a.tar")


def test_a_huge_extended_header_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        info = tarfile.TarInfo("a")
        info.type, info.size = b"L", 2 << 20
        file.addfile(info, io.BytesIO(b"a" * info.size))
    with pytest.raises(DataError, match=r"damaged at byte 512"):
        index_tar(tmp_path / "a.tar")
