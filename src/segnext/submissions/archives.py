"""Zip and tar files written one member at a time, the same bytes every time, and read back.

Nothing that a member's name says is used as a place on the disk, and no member is read that is
larger than what is expected of it.
"""

import io
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from segnext.errors import DataError
from segnext.submissions.servers import Archive

# Before 1980 zip knows no time; the same for both kinds.
_YEAR_ZERO = (1980, 1, 1, 0, 0, 0)
_READABLE = 0o644


def write_archive(path: Path, kind: Archive, members: Iterable[tuple[str, bytes]]) -> None:
    """Write members, in the order given, with fixed times, owners and rights.

    Pictures are compressed already, so a zip stores them as they are.

    Args:
        path: File to write.
        kind: `zip` or `tar`.
        members: Path in the archive and content.

    Raises:
        OSError: The disk refuses.
    """
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for place, content in members:
                info = zipfile.ZipInfo(place, _YEAR_ZERO)
                info.create_system = 3  # Unix, wherever it is made
                info.external_attr = _READABLE << 16
                archive.writestr(info, content)
        return
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for place, content in members:
            entry = tarfile.TarInfo(place)
            entry.size, entry.mode = len(content), _READABLE
            tar.addfile(entry, io.BytesIO(content))


def read_archive(
    path: Path, kind: Archive, limit: Callable[[str], int]
) -> Iterator[tuple[str, bytes]]:
    """Read the files of an archive one by one.

    Args:
        path: The archive.
        kind: `zip` or `tar`.
        limit: Gives the greatest size of a member in bytes by its path, and may refuse the path.

    Yields:
        Path in the archive and content; folders are left out.

    Raises:
        DataError: It is no archive of this kind, a member is damaged, larger than its limit, or
            neither file nor folder.
    """
    try:
        yield from (_read_zip if kind == "zip" else _read_tar)(path, limit)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, RuntimeError) as error:
        msg = f"{path}: cannot be read as a {kind} file ({error}); pack the predictions again"
        raise DataError(msg) from None


def _read_zip(path: Path, limit: Callable[[str], int]) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            _check_size(path, info.filename, info.file_size, limit)
            yield info.filename, archive.read(info)


def _read_tar(path: Path, limit: Callable[[str], int]) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path, "r:") as archive:
        for entry in archive:
            if entry.isdir():
                continue
            content = archive.extractfile(entry) if entry.isreg() else None
            if content is None:
                msg = f"{path}: {entry.name} is a link or device; only files belong there"
                raise DataError(msg)
            _check_size(path, entry.name, entry.size, limit)
            yield entry.name, content.read()


def _check_size(path: Path, place: str, size: int, limit: Callable[[str], int]) -> None:
    allowed = limit(place)
    if size > allowed:
        msg = f"{path / place}: {size:,} bytes, more than the {allowed:,} that such a mask may have"
        raise DataError(msg)
