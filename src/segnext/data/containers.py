"""Files in folders and in archives, by one kind of path.

A path may lead into a `.zip` file as if that were a folder: `roads.zip/images/1.jpg`. Whoever
lists folders or reads bytes does it through this module and needs to know nothing more; paths
stay plain `pathlib.Path`, so they print, sort and travel to worker processes as always. Nothing
is ever unpacked to disk.
"""

import functools
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from segnext.errors import DataError


class Container(Protocol):
    """A file whose members are reached as if it were a folder; members are relative, with `/`."""

    def names(self) -> tuple[str, ...]:
        """Return every member that is a file, sorted."""

    def size(self, name: str) -> int:
        """Return the bytes of a member; raises KeyError where there is none."""

    def read(self, name: str) -> bytes:
        """Return a member's content; raises KeyError where there is none."""


class _Zip:
    """Members of a zip file. Reading is safe from several threads."""

    def __init__(self, path: Path) -> None:
        self._archive = zipfile.ZipFile(path)
        infos = self._archive.infolist()
        self._infos = {info.filename: info for info in infos if _is_member(info)}

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._infos))

    def size(self, name: str) -> int:
        return self._infos[name].file_size

    def read(self, name: str) -> bytes:
        return self._archive.read(self._infos[name])


def _is_member(info: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(info.filename).parts
    # What leaves the archive is not in it. Mac archives carry a shadow of every file.
    outside = info.filename.startswith("/") or ".." in parts
    return not (info.is_dir() or outside or "__MACOSX" in parts)


_OPENERS = {".zip": _Zip}


def is_folder(path: Path) -> bool:
    """Tell whether a path is a folder, an archive, or a folder inside an archive."""
    found = _find(path)
    if found is None:
        return path.is_dir()
    return not found.inner or found.inner in found.folders


def is_file(path: Path) -> bool:
    """Tell whether a path is a file, on disk or inside an archive; an archive itself is not."""
    found = _find(path)
    return path.is_file() if found is None else bool(found.inner) and found.inner in found.members


def list_folder(folder: Path) -> list[Path]:
    """Return the sorted entries of a folder or an archive; see `is_folder`."""
    found = _find(folder)
    if found is None:
        return sorted(folder.iterdir())
    depth = len(PurePosixPath(found.inner).parts)
    entries = {PurePosixPath(name).parts[depth] for name in found.below()}
    return [folder / entry for entry in sorted(entries)]


def walk_files(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder or an archive, sorted, hidden ones apart."""
    found = _find(folder)
    if found is not None:
        start = len(found.inner) + 1 if found.inner else 0
        names = (name[start:] for name in found.below())
        yield from (folder / name for name in names if not _is_hidden(PurePosixPath(name)))
        return
    for path in sorted(folder.rglob("*")):
        if not _is_hidden(PurePosixPath(path.relative_to(folder))) and path.is_file():
            yield path


def file_size(path: Path) -> int:
    """Return the bytes of a file on disk or inside an archive.

    Raises:
        FileNotFoundError: There is no such file.
        DataError: The archive is broken.
    """
    found = _find(path)
    if found is None:
        return path.stat().st_size
    try:
        return found.container.size(found.inner)
    except KeyError:
        raise FileNotFoundError(2, "No such file in the archive", str(path)) from None


def read_bytes(path: Path) -> bytes:
    """Return the content of a file on disk or inside an archive.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It cannot be read.
        DataError: The archive is broken.
    """
    found = _find(path)
    if found is None:
        return path.read_bytes()
    try:
        return found.container.read(found.inner)
    except KeyError:
        raise FileNotFoundError(2, "No such file in the archive", str(path)) from None
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        msg = f"{path}: cannot be read from the archive ({error}); copy the archive again"
        raise DataError(msg) from None


def read_text(path: Path) -> str:
    """Read a UTF-8 file, with or without byte order mark, on disk or inside an archive.

    Raises:
        DataError: The file is missing or holds something else.
    """
    try:
        return read_bytes(path).decode("utf-8-sig")
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror or error})"
        raise DataError(msg) from None
    except UnicodeDecodeError:
        msg = f"{path}: is not UTF-8 text; save it as UTF-8"
        raise DataError(msg) from None


@dataclass(frozen=True)
class _Place:
    """A path taken apart: an open archive and what is meant inside it."""

    container: Container
    members: frozenset[str]
    folders: frozenset[str]
    inner: str

    def below(self) -> list[str]:
        """Return the members below the folder that is meant."""
        start = f"{self.inner}/" if self.inner else ""
        return [name for name in self.container.names() if name.startswith(start)]


def _find(path: Path) -> _Place | None:
    """Find the archive that a path leads to or into; `None` for a path on disk."""
    for archive in (path, *path.parents):
        if archive.suffix.lower() in _OPENERS and archive.is_file():
            stat = archive.stat()
            # A forked process must not share the position in the file with its parent.
            opened = _open(archive, stat.st_mtime_ns, stat.st_size, os.getpid())
            inner = path.relative_to(archive).as_posix()
            return _Place(*opened, "" if inner == "." else inner)
    return None


@functools.lru_cache(maxsize=64)
def _open(
    archive: Path, _changed: int, _size: int, _process: int
) -> tuple[Container, frozenset[str], frozenset[str]]:
    try:
        container: Container = _OPENERS[archive.suffix.lower()](archive)
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        msg = f"{archive}: cannot be opened as an archive ({error}); copy it again"
        raise DataError(msg) from None
    names = container.names()
    folders = {parent.as_posix() for name in names for parent in PurePosixPath(name).parents[:-1]}
    return container, frozenset(names), frozenset(folders)


def _is_hidden(path: PurePosixPath) -> bool:
    return any(part.startswith(".") for part in path.parts)
