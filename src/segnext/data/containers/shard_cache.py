"""A folder of shards fetched from object storage, kept below a size.

Any number of processes may share it: a shard is fetched by one of them while the others wait,
appears whole or not at all, and goes when it was longest not read. A reader that has a shard open
when it goes is not disturbed, and fetches it again the next time.
"""

import contextlib
import json
import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from segnext.errors import DataError, UsageError
from segnext.storage import lock_file, write_atomically

DEFAULT_BYTES = 50 << 30
SETTINGS = "cache.json"
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}

_ATTEMPTS = 3
_WAIT_SECONDS = 1.0
# How often the time of the last reading is written down.
_TOUCH_SECONDS = 10.0
# What a killed process left behind counts as in use for as long.
_PART_SECONDS = 3600.0
# Protocols that SEGNEXT_OFFLINE=1 does not forbid.
_ON_THIS_MACHINE = ("file", "local", "memory")

_touched: dict[Path, float] = {}
_fetching: set[Path] = set()


def parse_size(text: str | int) -> int:
    """Return the bytes of a size such as `50GB`, in powers of ten; a number is bytes.

    Raises:
        UsageError: It is no size.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", str(text).strip(), re.IGNORECASE)
    if isinstance(text, bool) or not found or float(found[1]) == 0:
        msg = f"cache_size {text!r} is no size; write it like 50GB"
        raise UsageError(msg)
    return round(float(found[1]) * _UNITS[found[2].upper()])


def open_cache(folder: Path, size: int) -> None:
    """Make a cache folder, or give one another size; what is too much goes with the next fetch.

    Args:
        folder: For shards and nothing else.
        size: Bytes that the shards in it may have together.

    Raises:
        SegnextError: The disk refuses.
    """
    if _allowed_bytes(folder) != size or not (folder / SETTINGS).is_file():
        write_atomically(folder / SETTINGS, json.dumps({"bytes": size}).encode())


def fetch_content(cache: Path, url: str, target: Path, *, expected: int | None = None) -> Path:
    """Fetch a shard if it is not there, and throw others away where the cache grows too large.

    Args:
        cache: Made by `open_cache`.
        url: Of the shard, as fsspec understands it.
        target: Where in the cache it goes.
        expected: Bytes that it had when it was indexed.

    Returns:
        The target.

    Raises:
        UsageError: fsspec or what it needs for this kind of URL is not installed.
        DataError: The shard is missing, has changed, is larger than the cache, or cannot be
            fetched.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with lock_file(target.with_name(f".{target.name}.lock")):
            if not target.is_file():
                _fetch(cache, url, target, expected)
    except OSError as error:
        msg = f"{url}: cannot be kept in {target.parent} ({error.strerror or error})"
        raise DataError(msg) from None
    return target


def fetch_in_background(target: Path, fetch: Callable[[], None]) -> None:
    """Call `fetch` in a thread, unless this process does so for the target already.

    Errors are dropped: whoever wants the shard itself will meet them.
    """
    if target in _fetching:
        return
    _fetching.add(target)

    def run() -> None:
        try:
            fetch()
        except (DataError, UsageError):
            pass
        finally:
            _fetching.discard(target)

    threading.Thread(target=run, daemon=True, name=f"fetch {target.name}").start()


def touch(content: Path) -> None:
    """Note that a shard is in use.

    Raises:
        FileNotFoundError: It is not there.
    """
    now = time.monotonic()
    if now - _touched.get(content, -_TOUCH_SECONDS) >= _TOUCH_SECONDS:
        os.utime(content)
        _touched[content] = now


def open_storage(url: str) -> tuple[Any, str]:
    """Return fsspec's file system for a URL, and the path in it.

    Raises:
        UsageError: fsspec or what it needs for this kind of URL is not installed.
        DataError: `SEGNEXT_OFFLINE=1` forbids the network.
    """
    try:
        import fsspec
    except ImportError as error:
        msg = f'{url}: object storage needs pip install "segnext[stream]" ({error})'
        raise UsageError(msg) from None
    if os.environ.get("SEGNEXT_OFFLINE") == "1" and url.split("://")[0] not in _ON_THIS_MACHINE:
        msg = f"{url}: not fetched, SEGNEXT_OFFLINE=1 forbids the network; unset it to fetch"
        raise DataError(msg)
    try:
        storage, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        msg = f"{url}: fsspec cannot open it ({error})"
        raise UsageError(msg) from None
    return storage, path


def _fetch(cache: Path, url: str, target: Path, expected: int | None) -> None:
    part = target.with_name(f"{target.name}.part")
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            storage, path = open_storage(url)
            size = storage.info(path).get("size")
            _check_size(url, size, expected)
            _make_room(cache, url, size or 0)
            storage.get_file(path, str(part))
            received = part.stat().st_size
            if size is not None and received != size:
                msg = f"{received:,} of {size:,} bytes came"
                raise EOFError(msg)
            _check_size(url, received, expected)
            part.replace(target)
            return
        except (DataError, UsageError):
            raise
        except FileNotFoundError:
            msg = f"{url}: no such shard; check the URL and the numbers in it"
            raise DataError(msg) from None
        except Exception as error:  # each storage has exceptions of its own
            if attempt == _ATTEMPTS:
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                msg = f"{url}: cannot be fetched, tried {attempt} times ({reason})"
                raise DataError(msg) from None
            time.sleep(_WAIT_SECONDS * attempt)
        finally:
            part.unlink(missing_ok=True)


def _check_size(url: str, found: int | None, expected: int | None) -> None:
    if found is not None and expected is not None and found != expected:
        msg = (
            f"{url}: has {found:,} bytes where {expected:,} were expected; if it was replaced, "
            f"remove the cache folder to read it anew"
        )
        raise DataError(msg)


def _make_room(cache: Path, url: str, needed: int) -> None:
    """Throw away what was longest not read, until a shard of `needed` bytes fits."""
    allowed = _allowed_bytes(cache)
    if needed > allowed:
        msg = f"{url}: its {needed:,} bytes are more than cache_size, {allowed:,}; raise it"
        raise DataError(msg)
    with lock_file(cache / f".{SETTINGS}.lock"):
        kept, being_fetched = _list_kept(cache)
        total = needed + being_fetched + sum(size for _, size, _ in kept)
        for _, size, path in sorted(kept):
            if total <= allowed:
                break
            # Where a system keeps open files from being removed, the next one goes.
            with contextlib.suppress(PermissionError):
                path.unlink(missing_ok=True)
                total -= size


def _list_kept(cache: Path) -> tuple[list[tuple[float, int, Path]], int]:
    """Return time of the last reading, size and path of what may go, and bytes on their way."""
    now = time.time()
    kept, being_fetched = [], 0
    for pattern in ("*.content", "*.content.part"):
        for path in cache.rglob(pattern):
            try:
                found = path.stat()
            except OSError:  # another process was faster
                continue
            if path.suffix == ".part" and now - found.st_mtime < _PART_SECONDS:
                being_fetched += found.st_size
            else:
                kept.append((found.st_mtime, found.st_size, path))
    return kept, being_fetched


def _allowed_bytes(cache: Path) -> int:
    try:
        return int(json.loads((cache / SETTINGS).read_bytes())["bytes"])
    except (OSError, ValueError, KeyError, TypeError):
        return DEFAULT_BYTES
