"""What is known about a way to keep labelled pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from segnext.data.layout import Layout


@dataclass(frozen=True)
class Format:
    """A way to keep labelled pictures.

    Attributes:
        name: As `--format` and `format:` in data.yaml take it.
        title: For people.
        detect: Tells, without reading much, whether a folder or archive looks like it.
        read: Finds items and the reader of their masks. Keyword arguments are `options:` of
            data.yaml. Raises DataError where files are missing, malformed or contradictory.
    """

    name: str
    title: str
    detect: Callable[[Path], bool]
    read: Callable[..., Layout]
