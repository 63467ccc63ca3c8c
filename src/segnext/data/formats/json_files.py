"""JSON written by strangers: read whole, or looked at from its head."""

from pathlib import Path
from typing import Any

from segnext.data.containers.paths import file_size, read_bytes, read_text
from segnext.data.headers import MAX_FILE_BYTES
from segnext.errors import DataError
from segnext.parsing import parse_json

# Inside an archive the head costs as much as the whole; detection has to stay cheap.
_MOST_PACKED = 64 << 20


def read_json(path: Path) -> Any:
    """Read a JSON file on disk or inside an archive.

    Raises:
        DataError: The file is missing, too large, no text, or no JSON.
    """
    try:
        size = file_size(path)
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror or error})"
        raise DataError(msg) from None
    if size > MAX_FILE_BYTES:
        msg = f"{path}: {size:,} bytes are more than a JSON file may have, {MAX_FILE_BYTES:,}"
        raise DataError(msg)
    text = read_text(path)
    try:
        return parse_json(text)
    except ValueError as error:
        msg = f"{path}: is no valid JSON ({error}); copy or export it again"
        raise DataError(msg) from None


def read_head(path: Path, size: int = 65_536) -> str:
    """Return the first characters of a text file, for `detect`; empty where it cannot be read."""
    try:
        if path.is_file():
            with path.open("rb") as file:
                data = file.read(size)
        elif file_size(path) <= _MOST_PACKED:
            data = read_bytes(path)[:size]
        else:
            return ""
    except (OSError, DataError):
        return ""
    # The cut may go through a character.
    return data.decode("utf-8-sig", "ignore")
