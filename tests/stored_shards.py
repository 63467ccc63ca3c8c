"""Tar shards, on disk and in an object storage that is only memory, for tests of the readers."""

import functools
import io
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import fsspec
import numpy as np

from pictures import ids
from rows import photo, png


def tar_bytes(members: Mapping[str, bytes]) -> bytes:
    """Return a tar file of members."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as file:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return content.getvalue()


@functools.cache
def shard_bytes(number: int, count: int = 3) -> bytes:
    """Return a shard of photos and masks; every row of it differs from those of other shards."""
    members = {}
    for row in range(count * number, count * (number + 1)):
        members[f"{row:04d}.jpg"] = png(photo(row))  # the content decides, not the suffix
        members[f"{row:04d}.png"] = png(np.roll(ids(0, 1, 2), row, axis=1))
    return tar_bytes(members)


class Storage:
    """An object storage in memory that counts what is fetched."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.files = fsspec.filesystem("memory")
        self.fetched: list[str] = []

    def put(self, name: str, content: bytes) -> str:
        """Store a file and return its URL."""
        self.files.pipe(f"/{self.root}/{name}", content)
        return f"memory://{self.root}/{name}"

    def remove(self, name: str) -> None:
        """Remove a file."""
        self.files.rm(f"/{self.root}/{name}")


@contextmanager
def open_storage(root: str) -> Iterator[Storage]:
    """Make a storage that is empty before and after, below a folder of its own."""
    storage = Storage(root)
    kind = type(storage.files)
    get_file = kind.get_file

    def count(self: object, path: str, *args: object, **options: object) -> None:
        storage.fetched.append(path.rsplit("/", 1)[-1])
        get_file(self, path, *args, **options)

    kind.get_file = count
    try:
        yield storage
    finally:
        kind.get_file = get_file
        if storage.files.exists(f"/{root}"):
            storage.files.rm(f"/{root}", recursive=True)
