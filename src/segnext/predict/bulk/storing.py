"""Where outputs go: a local folder, or object storage that fsspec knows."""

import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from segnext.data.containers.shard_cache import open_storage
from segnext.errors import SegnextError
from segnext.predict.bulk.listing import describe_failure, is_url
from segnext.predict.prediction import Prediction

MANIFESTS = "manifest"


class Store(Protocol):
    """An output folder.

    Attributes:
        place: Path or URL, for messages.
        batch_lines: Lines of a manifest to write together.
        batch_seconds: The longest time between lines.
    """

    place: str
    batch_lines: int
    batch_seconds: float

    def save(self, prediction: Prediction, name: str, how: Mapping[str, Any]) -> None:
        """Write the files of a prediction; `how` are options of `Prediction.save`."""

    def sync(self, names: Iterable[str]) -> None:
        """Return when no power cut can take the files of these names."""

    def append(self, manifest: str, lines: bytes) -> None:
        """Append whole lines to a manifest, and return when they are durable."""

    def manifests(self) -> list[str]:
        """Return the names of all files of lines, oldest first within a manifest."""

    def read_lines(self, manifest: str) -> Iterator[bytes]:
        """Go through the lines of a file that `manifests` named."""


def open_store(place: str) -> Store:
    """Return the output folder that a path or a URL means.

    Raises:
        UsageError: fsspec or what it needs for this kind of URL is not installed.
        DataError: `SEGNEXT_OFFLINE=1` forbids the network.
    """
    place = place.removeprefix("file://")
    return RemoteStore(place) if is_url(place) else LocalStore(place)


class LocalStore:
    """A folder on a disk."""

    batch_lines = 100
    batch_seconds = 10.0

    def __init__(self, place: str) -> None:
        self.place = place
        self._root = Path(place)

    def save(self, prediction: Prediction, name: str, how: Mapping[str, Any]) -> None:
        """Write the files of a prediction, each complete or not at all."""
        prediction.save(self._root, name, **how)

    def sync(self, names: Iterable[str]) -> None:
        """Sync the folders in which files were renamed; the files themselves were synced."""
        if not self._root.exists():  # all pictures failed
            return
        kinds = [kind.name for kind in self._root.iterdir() if kind.is_dir()]
        folders = {
            folder
            for name in names
            for kind in kinds
            for folder in PurePosixPath(kind, name).parents
        }
        for folder in sorted(folders):
            with suppress(FileNotFoundError):  # a kind of output that was not asked for
                _sync_folder(self._root / folder)

    def append(self, manifest: str, lines: bytes) -> None:
        """Append whole lines to a manifest and sync it."""
        path = self._root / MANIFESTS / f"{manifest}.jsonl"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                # What a killed run began to write stays a line of its own, which nobody can read.
                torn = file.tell() > 0 and _last_byte(path) != b"\n"
                file.write((b"\n" if torn else b"") + lines)
                file.flush()
                os.fsync(file.fileno())
            _sync_folder(path.parent)
        except OSError as error:
            msg = f"{path}: cannot be written ({describe_failure(error)})"
            raise SegnextError(msg) from error

    def manifests(self) -> list[str]:
        """Return the names of all manifests."""
        return sorted(path.name for path in (self._root / MANIFESTS).glob("*.jsonl"))

    def read_lines(self, manifest: str) -> Iterator[bytes]:
        """Go through the lines of a manifest."""
        with (self._root / MANIFESTS / manifest).open("rb") as file:
            yield from file


def _last_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read()


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class RemoteStore:
    """A prefix in object storage, where objects appear complete and cannot be appended to.

    So a manifest is a series of objects, numbered on from those that are there. A process that was
    given up and still runs cannot replace those of its successor: each has a mark of its own.
    """

    batch_lines = 1000
    batch_seconds = 60.0

    def __init__(self, place: str) -> None:
        self.place = place
        self._storage, root = open_storage(place)
        self._root = root.rstrip("/")
        self._mark = secrets.token_hex(4)
        self._next: dict[str, int] = {}

    def save(self, prediction: Prediction, name: str, how: Mapping[str, Any]) -> None:
        """Write the files of a prediction, drawn in a temporary folder."""
        with tempfile.TemporaryDirectory() as folder:
            prediction.save(folder, name, **how)
            for path in sorted(Path(folder).rglob("*")):
                if path.is_file():
                    self._put(path.relative_to(folder).as_posix(), path.read_bytes())

    def sync(self, names: Iterable[str]) -> None:
        """Do nothing: an object that was accepted is durable."""

    def append(self, manifest: str, lines: bytes) -> None:
        """Write lines as the next object of a manifest."""
        if manifest not in self._next:
            parts = [name for name in self.manifests() if name.startswith(f"{manifest}.")]
            numbers = [int(name.removeprefix(f"{manifest}.").partition("-")[0]) for name in parts]
            self._next[manifest] = 1 + max(numbers, default=-1)
        part = f"{manifest}.{self._next[manifest]:06}-{self._mark}.jsonl"
        self._put(f"{MANIFESTS}/{part}", lines)
        self._next[manifest] += 1

    def manifests(self) -> list[str]:
        """Return the names of all objects of all manifests."""
        folder = f"{self._root}/{MANIFESTS}"
        self._storage.invalidate_cache()
        try:
            found = self._storage.ls(folder, detail=False)
        except FileNotFoundError:
            return []
        except Exception as error:  # every kind of storage has errors of its own
            msg = f"{self.place}: cannot be listed ({describe_failure(error)})"
            raise SegnextError(msg) from error
        names = [path.rstrip("/").rpartition("/")[2] for path in found]
        return sorted(name for name in names if name.endswith(".jsonl"))

    def read_lines(self, manifest: str) -> Iterator[bytes]:
        """Go through the lines of an object."""
        content: bytes = self._storage.cat_file(f"{self._root}/{MANIFESTS}/{manifest}")
        yield from content.splitlines(keepends=True)

    def _put(self, name: str, content: bytes) -> None:
        path = f"{self._root}/{name}"
        try:
            self._storage.pipe_file(path, content)
        except Exception as error:  # every kind of storage has errors of its own
            msg = f"{self.place}/{name}: cannot be written ({describe_failure(error)})"
            raise SegnextError(msg) from error
