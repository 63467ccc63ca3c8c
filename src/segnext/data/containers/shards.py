"""Tar shards in object storage, each reached through its index on this machine.

    CACHE/
        cache.json                          how large the cache may grow
        s3/bucket/roads/
            train-000000.tar.shard          the index: where the shard is, and what is where in it
            train-000000.tar.content        the shard itself, fetched whole, thrown away at need

`train-000000.tar.shard/0001.jpg` is a path like any other (see `segnext.data.containers.paths`).
The index stays, so that a data set opens without a look into storage; the content comes when a
sample of it is first wanted, and again after it was thrown away.
"""

import functools
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from segnext.data.containers.archives import member_name, read_piece
from segnext.data.containers.shard_cache import SETTINGS, fetch_content, fetch_in_background, touch
from segnext.data.containers.tar_index import Member, index_tar
from segnext.errors import DataError
from segnext.storage import write_atomically

SUFFIX, CONTENT_SUFFIX = ".shard", ".content"
_VERSION = 1
# Readings that begin again because another process made room with just this shard.
_ATTEMPTS = 10


@dataclass(frozen=True)
class ShardIndex:
    """What is known of a shard without having it.

    Attributes:
        url: As fsspec understands it.
        size: Of the whole shard, in bytes.
        members: Name, position and size in bytes of each sample's parts, in the shard's order.
    """

    url: str
    size: int
    members: tuple[Member, ...]


def index_path(cache: Path, url: str) -> Path:
    """Return where a shard's index lies: below the cache as its URL says, readable in messages.

    Raises:
        DataError: The URL has no file name, or goes up.
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]  # a password must not become a folder's name
    names = [parts.scheme, host, *parts.path.split("/"), parts.query, parts.fragment]
    names = [quote(name, safe=" ()+,=@~") for name in names if name]
    if not parts.path.rstrip("/") and not parts.netloc:
        msg = f"{url}: names no shard"
        raise DataError(msg)
    if any(name in (".", "..") for name in names):
        msg = f"{url}: must not go up with .."
        raise DataError(msg)
    return cache.joinpath(*names[:-1], names[-1] + SUFFIX)


def ensure_index(cache: Path, url: str) -> Path:
    """Return the path of a shard's index, made from the shard when it is not there yet.

    Raises:
        DataError: The shard is missing, cannot be fetched, or is damaged.
    """
    path = index_path(cache, url)
    if path.is_file():
        return path
    index = _make_index(cache, url, _content_path(path))
    write_atomically(path, json.dumps({"version": _VERSION, **asdict(index)}).encode())
    return path


def _make_index(cache: Path, url: str, content: Path) -> ShardIndex:
    for _ in range(_ATTEMPTS):
        fetch_content(cache, url, content)
        try:
            return ShardIndex(url, content.stat().st_size, tuple(index_tar(content)))
        except FileNotFoundError:
            continue
        except DataError as error:
            content.unlink(missing_ok=True)  # it may be whole at the next try
            msg = f"{url}: {error}"
            raise DataError(msg) from None
        except OSError as error:
            msg = f"{url}: cannot be read after it was fetched ({error.strerror or error})"
            raise DataError(msg) from None
    raise _thrown_away(url)


def read_index(path: Path) -> ShardIndex:
    """Read an index.

    Raises:
        DataError: It is damaged, or of another version of this package.
        OSError: It cannot be read.
    """
    try:
        # Not `parse_json`: names of members in no known encoding hold halves of characters.
        content = json.loads(path.read_bytes())
        if content["version"] != _VERSION:
            raise ValueError
        members = tuple((str(name), int(at), int(size)) for name, at, size in content["members"])
        if any(at < 0 or size < 0 for _, at, size in members):
            raise ValueError
        index = ShardIndex(str(content["url"]), int(content["size"]), members)
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError):
        msg = "is no index of a shard, or damaged; remove it, it will be made again"
        raise DataError(msg) from None
    return index


class RemoteShard:
    """Members of a tar shard in object storage.

    Args:
        path: Of its index, in a cache folder.

    Raises:
        DataError: The index is damaged.
        OSError: It cannot be read.
    """

    def __init__(self, path: Path) -> None:
        index = read_index(path)
        self._index, self._content = index, _content_path(path)
        self._places = {member_name(name): place for name, *place in index.members}
        self._places.pop("", None)

    @functools.cached_property
    def _cache(self) -> Path:
        """The cache folder: the nearest one above that says so."""
        parents = self._content.parents
        return next((folder for folder in parents if (folder / SETTINGS).is_file()), parents[0])

    def names(self) -> tuple[str, ...]:
        """Return every member, sorted; see `Container`."""
        return tuple(sorted(self._places))

    def size(self, name: str) -> int:
        """Return the bytes of a member; see `Container`."""
        return self._places[name][1]

    def read(self, name: str) -> bytes:
        """Return a member's content, after fetching the shard if it is not here."""
        offset, size = self._places[name]
        for _ in range(_ATTEMPTS):
            try:
                touch(self._content)
                return read_piece(self._content, offset, size)
            except FileNotFoundError:
                self._fetch()
        raise _thrown_away(self._index.url)

    def prefetch(self) -> None:
        """Start to fetch the shard if it is not here; see `Container`."""
        if not self._content.is_file():
            fetch_in_background(self._content, self._fetch)

    def _fetch(self) -> None:
        fetch_content(self._cache, self._index.url, self._content, expected=self._index.size)


def _content_path(index: Path) -> Path:
    return index.with_suffix(CONTENT_SUFFIX)


def _thrown_away(url: str) -> DataError:
    return DataError(f"{url}: is thrown away as fast as it is fetched; raise cache_size")
