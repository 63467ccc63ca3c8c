"""Paths that a file of a stranger names, which must not lead out of the data set."""

from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from segnext.errors import DataError


def leads_out(text: str) -> bool:
    """Tell whether a path with `/` or backslashes is absolute or goes up."""
    path = PurePosixPath(text.replace("\\", "/"))
    return path.is_absolute() or bool(PureWindowsPath(text).drive) or ".." in path.parts


def inner_path(text: Any, where: str) -> PurePosixPath:
    """Check a relative path below the root of a data set.

    Args:
        text: With `/` or backslashes.
        where: The file or option that names it, for messages.

    Raises:
        DataError: It is no text, absolute, or goes up.
    """
    if not isinstance(text, str) or not text or "\0" in text:
        msg = f"{where}: must name a path, not {text!r}"
        raise DataError(msg)
    if leads_out(text):
        msg = f"{where}: {text} leads out of the data set; name what lies inside"
        raise DataError(msg)
    return PurePosixPath(text.replace("\\", "/"))
