import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from segnext.errors import DataError
from segnext.submissions.archives import read_archive, write_archive

FILES = [("b/two.png", b"two" * 500), ("one.png", b"one")]


def anything(_: str) -> int:
    return 10_000


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_what_is_written_is_read_in_order(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "pack"
    write_archive(path, kind, iter(FILES))  # type: ignore[arg-type]
    assert list(read_archive(path, kind, anything)) == FILES  # type: ignore[arg-type]
    again = tmp_path / "again"
    write_archive(again, kind, iter(FILES))  # type: ignore[arg-type]
    assert again.read_bytes() == path.read_bytes()


def test_members_carry_no_time_and_no_owner(tmp_path: Path) -> None:
    write_archive(tmp_path / "a.zip", "zip", FILES)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {info.external_attr >> 16 for info in archive.infolist()} == {0o644}
    write_archive(tmp_path / "a.tar", "tar", FILES)
    with tarfile.open(tmp_path / "a.tar") as tar:
        assert {(entry.mtime, entry.uid, entry.uname) for entry in tar} == {(0, 0, "")}


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_members_are_taken_one_at_a_time(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "pack"
    sizes = []

    def members() -> Iterator[tuple[str, bytes]]:
        for number in range(3):
            yield f"{number}.png", bytes(1_000_000)
            sizes.append(path.stat().st_size)

    write_archive(path, kind, members())  # type: ignore[arg-type]
    # What was handed over is on the disk before the next one is asked for, but for a small buffer.
    assert all(size > 900_000 * (number + 1) for number, size in enumerate(sizes))


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_large_members_are_refused_unread(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "pack"
    write_archive(path, kind, FILES)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"pack.b.two.png: 1,500 bytes, more than the 5 that such"):
        list(read_archive(path, kind, lambda _: 5))  # type: ignore[arg-type]


def test_a_bomb_is_refused_by_its_size(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(5_000_000))
    with pytest.raises(DataError, match=r"a.png: 5,000,000 bytes, more than"):
        list(read_archive(tmp_path / "a.zip", "zip", anything))


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_other_files_are_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "pack"
    path.write_bytes(b"neither" * 200)
    with pytest.raises(DataError, match=rf"cannot be read as a {kind} file"):
        list(read_archive(path, kind, anything))  # type: ignore[arg-type]
    with pytest.raises(DataError, match=rf"nothing: cannot be read as a {kind} file"):
        list(read_archive(tmp_path / "nothing", kind, anything))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_damaged_archive_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "pack"
    write_archive(path, kind, FILES)  # type: ignore[arg-type]
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(DataError, match=rf"cannot be read as a {kind} file"):
        list(read_archive(path, kind, anything))  # type: ignore[arg-type]


def test_folders_are_passed_over_and_links_are_not(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        folder = tarfile.TarInfo("results")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        entry = tarfile.TarInfo("results/a.png")
        entry.size = 1
        archive.addfile(entry, io.BytesIO(b"a"))
    assert list(read_archive(path, "tar", anything)) == [("results/a.png", b"a")]
    with tarfile.open(path, "a") as archive:
        link = tarfile.TarInfo("b.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(DataError, match=r"b.png is a link or device; only files belong there"):
        list(read_archive(path, "tar", anything))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.mkdir("results")
        archive.writestr("results/a.png", b"a")
    assert list(read_archive(tmp_path / "a.zip", "zip", anything)) == [("results/a.png", b"a")]
