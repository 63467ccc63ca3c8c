"""One part of many of a job."""

import hashlib
import re
from dataclasses import dataclass

from segnext.errors import UsageError


@dataclass(frozen=True)
class Shard:
    """The part `index` of `count`, counted from 0.

    A picture belongs to the part that its name's hash tells, whatever else is listed. So parts that
    start at different times never share or lose a picture, also when files came in between.

    Attributes:
        index: From 0, as job arrays count.
        count: 1 or more.
    """

    index: int = 0
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Read `i/n`, such as `0/8` for the first of eight.

        Raises:
            UsageError: The text is something else, or the part is not one of them.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
        if match is None:
            msg = f"--shard {text!r}: give i/n with i from 0, such as 0/8 for the first of eight"
            raise UsageError(msg)
        index, count = int(match[1]), int(match[2])
        if index >= count:
            last = f"0/{count} to {count - 1}/{count}" if count else "such as 0/8"
            msg = f"--shard {text}: there is no such part; parts are counted from 0: {last}"
            raise UsageError(msg)
        return cls(index, count)

    def owns(self, digest: bytes) -> bool:
        """Tell whether the picture with this `digest_name` belongs to this part."""
        return int.from_bytes(digest[:8], "big") % self.count == self.index


def digest_name(name: str) -> bytes:
    """Return 16 bytes that stand for an output name, the same everywhere and always."""
    return hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=16).digest()
