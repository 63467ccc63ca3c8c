"""Files that are either whole or not there."""

import os
import secrets
from pathlib import Path

from segnext.errors import SegnextError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name in its folder, sync it, and rename it into place.

    Missing folders are made; an older file is replaced in one move.

    Raises:
        SegnextError: The disk or its permissions refuse; an older file still stands then.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        msg = f"{path}: cannot be written ({error.strerror or error}); nothing was changed"
        raise SegnextError(msg) from error
