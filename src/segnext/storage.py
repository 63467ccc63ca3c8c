"""Files that are either whole or not there."""

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segnext.errors import SegnextError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name in its folder, sync it, and rename it into place.

    Missing folders are made; an older file is replaced in one move.

    Raises:
        SegnextError: The disk or its permissions refuse; an older file still stands then.
    """
    with replace_atomically(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def replace_atomically(path: Path, ending: str = ".tmp") -> Iterator[Path]:
    """Give a temporary place to write a file to, which becomes `path` if all goes well.

    For files too large for memory, or that are to be read again before they count. Missing folders
    are made; an older file is replaced in one move, after a sync, and stands if anything is raised.

    Args:
        path: Where the file is to be.
        ending: Of the temporary name, for writers that take their format from it.

    Yields:
        A path in the same folder, where nothing is yet.

    Raises:
        SegnextError: The disk or its permissions refuse.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{ending}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        msg = f"{path}: cannot be written ({error.strerror or error}); nothing was changed"
        raise SegnextError(msg) from error


@contextmanager
def lock_file(path: Path) -> Iterator[None]:
    """Let one process and one thread at a time go on; the others wait.

    The system gives the lock back if its holder is killed.

    Args:
        path: A file for nothing else, in a folder that exists; made if missing and left there.

    Raises:
        OSError: The file cannot be opened.
    """
    with path.open("ab") as file:
        if sys.platform == "win32":
            import msvcrt

            while True:
                try:
                    msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
                    break
                except OSError:  # it gives up after ten seconds
                    continue
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            # Closing is not enough: a process forked meanwhile has the file open as well.
            if sys.platform == "win32":
                msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
            else:
                fcntl.flock(file, fcntl.LOCK_UN)


def cache_folder() -> Path:
    """Return the folder for downloads and copies; it need not exist.

    `SEGNEXT_CACHE`, else `segnext` in `XDG_CACHE_HOME`, else `~/.cache/segnext`.
    """
    if os.environ.get("SEGNEXT_CACHE"):
        return Path(os.environ["SEGNEXT_CACHE"]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "segnext"
