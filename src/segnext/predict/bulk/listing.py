"""What to predict, one by one: pictures of a folder, of object storage, or of a text file."""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from segnext.data import IMAGE_SUFFIXES
from segnext.data.containers.shard_cache import open_storage
from segnext.errors import DataError, UsageError

LIST_SUFFIX = ".txt"
# What some file systems do not allow in a name, and the sign that stands for it.
_UNSAFE = re.compile(r'[%<>:"|?*\\\x00-\x1f]')
_LONGEST = 200  # bytes of a part of a name; 255 with suffixes is the limit of most file systems


@dataclass(frozen=True)
class Listed:
    """A picture of a listing.

    Attributes:
        name: Of its outputs, with the picture's suffix; different for different pictures.
        source: Absolute path, or URL as fsspec understands it.
    """

    name: str
    source: str


def is_url(text: str) -> bool:
    """Tell a URL from a path."""
    return "://" in text


def is_bulk_source(text: str) -> bool:
    """Tell what only this package reads, a URL or a text file, from pictures and their folders."""
    return is_url(text) or text.lower().endswith(LIST_SUFFIX)


def list_pictures(source: str) -> Iterator[Listed]:
    """Go through the pictures of a source in an order that is always the same.

    Of a folder, the names of one of its folders at a time are in memory; of a text file, one line.

    Args:
        source: A folder, a URL of a folder, or a text file (`.txt`, also at a URL) with a path or
            URL in each line. Paths in it are relative to the working folder.

    Yields:
        Pictures of a folder, named by their path in it; or what the lines say, whether it exists or
        not, named by its URL or absolute path as a path.

    Raises:
        DataError: The source does not exist or holds no picture.
        UsageError: The source is none of these, or fsspec lacks what its URL needs.
    """
    if source.lower().endswith(LIST_SUFFIX):
        listed = _read_list(source)
    elif is_url(source):
        listed = _walk_storage(source)
    elif Path(source).is_dir():
        listed = _walk_folder(Path(source).resolve())
    elif Path(source).exists():
        msg = (
            f"{source}: neither a folder nor a list ({LIST_SUFFIX}), one of which --shard and "
            f"--engine need"
        )
        raise UsageError(msg)
    else:
        msg = f"{source}: no such folder or list"
        raise DataError(msg)
    empty = True
    for picture in listed:
        empty = False
        yield picture
    if empty:
        kinds = ", ".join(sorted(IMAGE_SUFFIXES))
        what = "no lines" if source.lower().endswith(LIST_SUFFIX) else f"no pictures ({kinds})"
        msg = f"{source}: {what} in it"
        raise DataError(msg)


def _walk_folder(root: Path) -> Iterator[Listed]:
    pending = [""]
    while pending:
        below = pending.pop()
        files, folders = [], []
        try:
            with os.scandir(root / below) as entries:
                for entry in entries:
                    name = f"{below}{entry.name}"
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(f"{name}/")
                    elif _is_picture(name) and entry.is_file():
                        files.append(name)
        except OSError as error:
            msg = f"{root / below}: cannot be listed ({describe_failure(error)})"
            raise DataError(msg) from error
        for name in sorted(files):
            yield Listed(name, str(root / name))
        pending += sorted(folders, reverse=True)


def _walk_storage(url: str) -> Iterator[Listed]:
    if url.startswith(("http://", "https://")):
        msg = f"{url}: HTTP has no listing; write the pictures' URLs into a {LIST_SUFFIX} file"
        raise UsageError(msg)
    storage, root = open_storage(url)
    root = root.rstrip("/")
    pending = [root]
    while pending:
        entries = _list_folder(storage, pending.pop(), url)
        folders = []
        for path, kind in entries:
            if kind == "directory":
                folders.append(path)
            elif _is_picture(path):
                name = path.removeprefix(root).removeprefix("/")
                yield Listed(_make_safe(name), storage.unstrip_protocol(path))
        pending += reversed(folders)


def _list_folder(storage: Any, folder: str, url: str) -> list[tuple[str, str]]:
    try:
        entries = storage.ls(folder, detail=True)
        # The cache would keep the listings of all folders.
        storage.invalidate_cache(folder)
    except Exception as error:  # every kind of storage has errors of its own
        msg = f"{url}: cannot be listed ({describe_failure(error)})"
        raise DataError(msg) from error
    found = sorted((entry["name"].rstrip("/"), entry["type"]) for entry in entries)
    if [path for path, _ in found] == [folder]:
        msg = f"{url}: not a folder; write URLs of pictures into a {LIST_SUFFIX} file"
        raise UsageError(msg)
    return [entry for entry in found if entry[0] != folder]


def _read_list(source: str) -> Iterator[Listed]:
    try:
        with _open_text(source) as lines:
            for line in lines:
                entry = line.strip()
                if is_url(entry):
                    scheme, _, rest = entry.partition("://")
                    yield Listed(_make_safe(f"{scheme}/{rest}"), entry)
                elif entry:
                    path = Path(os.path.abspath(entry))  # noqa: PTH100  (symlinks stay)
                    yield Listed(path.relative_to(path.anchor).as_posix(), str(path))
    except UnicodeDecodeError as error:
        msg = f"{source}: not a text file in UTF-8"
        raise DataError(msg) from error
    except OSError as error:
        msg = f"{source}: cannot be read ({describe_failure(error)})"
        raise DataError(msg) from error


def _open_text(source: str) -> IO[str]:
    if not is_url(source):
        return Path(source).open(encoding="utf-8")
    storage, path = open_storage(source)
    opened: IO[str] = storage.open(path, "rt", encoding="utf-8")
    return opened


def _is_picture(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES


def _make_safe(name: str) -> str:
    """Turn a URL's path into one for files, different for different ones."""
    return "/".join(_make_part_safe(part) for part in name.split("/"))


def _make_part_safe(part: str) -> str:
    if part in ("", ".", ".."):
        return "%" + "%2E" * len(part)
    safe = _UNSAFE.sub(lambda match: f"%{ord(match[0]):02X}", part)
    encoded = safe.encode()
    if len(encoded) <= _LONGEST:
        return safe
    digest = hashlib.blake2b(encoded, digest_size=16).hexdigest()
    return f"{encoded[: _LONGEST - 40].decode(errors='ignore')}%{digest}"


def describe_failure(error: Exception) -> str:
    """Say in one line why a disk or a storage refused; each kind of storage raises its own."""
    if isinstance(error, FileNotFoundError):  # some name the path alone
        return "not found"
    text = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    return str(text).splitlines()[0]
