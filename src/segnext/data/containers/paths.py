"""Files in folders and in archives, by one kind of path.

A path may lead into a `.zip` or `.tar` file as if that were a folder: `roads.zip/images/1.jpg`;
into a shard in object storage by its index, `train-000000.tar.shard/0001.jpg`; into a file of
rows, `data-00000-of-00001.arrow/17/image`; and into an index of windows of large rasters,
`maps.windows/ortho_0_512_0_512.tif`. Whoever lists folders or reads bytes does it through
this module and needs to know nothing more; paths stay plain `pathlib.Path`, so they print, sort
and travel to worker processes as always. Nothing is ever unpacked to disk.
"""

import contextlib
import errno
import functools
import os
import stat
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from segnext.data.containers.archives import Container, TarArchive, ZipArchive
from segnext.data.containers.map_windows import MapWindows
from segnext.data.containers.rows import ArrowRows
from segnext.data.containers.shards import RemoteShard
from segnext.errors import DataError

# What it means if a path cannot be looked up, other than that it may not.
_NOTHING_THERE = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EBADF, errno.ELOOP, errno.ENAMETOOLONG}
)
_OPENERS: dict[str, Callable[[Path], Container]] = {
    ".zip": ZipArchive,
    ".tar": TarArchive,
    ".shard": RemoteShard,
    ".arrow": ArrowRows,
    ".windows": MapWindows,
}


def is_folder(path: Path) -> bool:
    """Tell whether a path is a folder, an archive, or a folder inside an archive.

    Raises:
        DataError: It leads into an archive that is broken.
    """
    place = _find(path)
    if place is None:
        return _is(path, stat.S_ISDIR)
    # An archive is not opened to learn this: it may be one of a thousand beside each other.
    return not place.inner or place.inner in place.opened.entries


def is_file(path: Path) -> bool:
    """Tell whether a path is a file, on disk or inside an archive; an archive itself is not."""
    place = _find(path)
    if place is None:
        return _is(path, stat.S_ISREG)
    return bool(place.inner) and place.inner in place.opened.members


def _is(path: Path, kind: Callable[[int], bool]) -> bool:
    """Tell what lies on disk; names come from files, and may be none that a disk can have."""
    try:
        return kind(path.stat().st_mode)
    except ValueError:  # holds a zero byte
        return False
    except OSError as error:
        if error.errno in _NOTHING_THERE:
            return False
        raise


def list_folder(folder: Path) -> list[Path]:
    """Return the sorted entries of a folder or an archive; see `is_folder`."""
    place = _find(folder)
    if place is None:
        return sorted(folder.iterdir())
    return [folder / entry for entry in place.opened.entries.get(place.inner, ())]


def walk_files(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder or an archive, sorted, hidden ones apart."""
    place = _find(folder)
    if place is not None:
        start = len(place.inner) + 1 if place.inner else 0
        for name in place.opened.below(place.inner):
            if not _is_hidden(PurePosixPath(name[start:])):
                yield folder / name[start:]
        return
    found: list[Path] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = Path(parent)
        found += [inside / name for name in names if not name.startswith(".")]
    for path in sorted(found):
        if path.is_file():
            yield path


def find_packed_folder(path: Path) -> Path | None:
    """Return the folder that is all there is in an archive, or in a folder inside one.

    Args:
        path: Of an archive, or leading into one; for paths on disk there is never such a folder.

    Raises:
        DataError: The archive is broken.
    """
    place = _find(path)
    if place is None:
        return None
    entries = [entry for entry in list_folder(path) if not entry.name.startswith(".")]
    return entries[0] if len(entries) == 1 and is_folder(entries[0]) else None


def file_size(path: Path) -> int:
    """Return the bytes of a file on disk or inside an archive.

    Raises:
        FileNotFoundError: There is no such file.
        DataError: The archive is broken.
    """
    place = _find(path)
    if place is None:
        return path.stat().st_size
    container = place.opened.container
    try:
        return container.size(place.inner)
    except KeyError:
        raise FileNotFoundError(2, "No such file in the archive", str(path)) from None


def read_bytes(path: Path) -> bytes:
    """Return the content of a file on disk or inside an archive.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It cannot be read.
        DataError: The archive is broken.
    """
    place = _find(path)
    if place is None:
        return path.read_bytes()
    container = place.opened.container
    try:
        return container.read(place.inner)
    except KeyError:
        raise FileNotFoundError(2, "No such file in the archive", str(path)) from None
    except DataError as error:
        msg = f"{path}: {error}"
        raise DataError(msg) from None
    except OSError as error:
        msg = f"{path}: cannot be read from the archive ({error.strerror or error})"
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


def prefetch(path: Path) -> None:
    """Start to fetch what a file needs that is not on this machine; returns at once.

    Failures are left to the reading itself.
    """
    place = _find(path)
    if place is not None and place.inner:
        with contextlib.suppress(DataError):
            place.opened.container.prefetch()


class _Opened:
    """A container with what is looked up in its names, made when it is first wanted."""

    def __init__(self, container: Container) -> None:
        self.container = container

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        return self.container.names()

    @functools.cached_property
    def members(self) -> frozenset[str]:
        return frozenset(self.names)

    @functools.cached_property
    def entries(self) -> dict[str, list[str]]:
        """Sorted entries by folder; the container itself is the folder of the empty name."""
        found: dict[str, set[str]] = {"": set()}
        for name in self.names:
            # Up to a folder that is known, whose own parents are then known as well.
            while name:
                parent, _, entry = name.rpartition("/")
                known = parent in found
                found.setdefault(parent, set()).add(entry)
                name = "" if known else parent
        return {folder: sorted(entries) for folder, entries in found.items()}

    def below(self, folder: str) -> tuple[str, ...]:
        """Return the members below a folder."""
        if not folder:
            return self.names
        # In a sorted list they are neighbours, and `0` is what comes after `/`.
        return self.names[
            bisect_left(self.names, f"{folder}/") : bisect_left(self.names, f"{folder}0")
        ]


@dataclass(frozen=True)
class _Place:
    """A path taken apart: an archive on disk and what is meant inside it."""

    archive: Path
    changed: int
    size: int
    inner: str

    @property
    def opened(self) -> _Opened:
        return _open(self.archive, self.changed, self.size)


def _find(path: Path) -> _Place | None:
    """Find the archive that a path leads to or into; `None` for a path on disk."""
    text = str(path).lower()
    if not any(suffix in text for suffix in _OPENERS):  # as it is with nearly every path
        return None
    for archive in (path, *path.parents):
        if archive.suffix.lower() not in _OPENERS:
            continue
        try:
            found = archive.stat()
        except (OSError, ValueError):  # ValueError: a name that no disk can have
            continue
        if stat.S_ISREG(found.st_mode):
            inner = path.relative_to(archive).as_posix()
            return _Place(archive, found.st_mtime_ns, found.st_size, "" if inner == "." else inner)
    return None


@functools.lru_cache(maxsize=64)
def _open(archive: Path, _changed: int, _size: int) -> _Opened:
    try:
        return _Opened(_OPENERS[archive.suffix.lower()](archive))
    except DataError as error:
        msg = f"{archive}: {error}"
    except OSError as error:
        msg = f"{archive}: cannot be opened as an archive ({error.strerror or error})"
    raise DataError(msg) from None


def _is_hidden(path: PurePosixPath) -> bool:
    return any(part.startswith(".") for part in path.parts)
