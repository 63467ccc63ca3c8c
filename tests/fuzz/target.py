"""A reader of untrusted bytes, with seeds that it accepts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from fuzz.mutator import Mutator
from segnext.errors import SegnextError

NUMBERS = (b"nan", b"inf", b"-1", b"1e308", b"99999999999999999999", b"0", b"1e9", b"4294967296")
YAML_TOKENS = (b"&a [*a]", b"*a", b"!!python/object:os.system", b"2001-99-99", b"0b_", b"? ", b"<<")


@dataclass(frozen=True)
class Target:
    """A reader.

    Attributes:
        name: Of the reader, for people.
        file: Where its bytes lie below a folder.
        read: Reads that folder; may raise `accepted` only.
        seeds: Makes bytes, or trees that `encode` turns into bytes.
        encode: Turns a changed tree into the bytes of the file; `None` where seeds are bytes.
        mend: Makes changed bytes consistent again.
        prepare: Puts what else the reader wants into the folder.
        tokens: Pieces that mean something to the reader.
        accepted: What a reader may raise.
    """

    name: str
    file: str
    read: Callable[[Path], object]
    seeds: Callable[[], Sequence[Any]]
    encode: Callable[[Any], bytes] | None = None
    mend: Callable[[bytes], bytes] | None = None
    prepare: Callable[[Path], object] = lambda _: None
    tokens: Sequence[bytes] = ()
    accepted: tuple[type[Exception], ...] = (SegnextError,)

    def make_input(self, seeds: Sequence[Any], random: Random) -> bytes:
        """Make an input by the choices of `random`."""
        mutator = Mutator(random, self.tokens)
        start = mutator.random.choice(seeds)
        if self.encode is None:
            data = mutator.change_bytes(start, seeds)
        else:
            data = self.encode(mutator.change_tree(start))
            if mutator.random.random() < 0.2:
                data = mutator.change_bytes(data, [data])
        if self.mend is not None and mutator.random.random() < 0.7:
            data = self.mend(data)
        return data

    def try_input(self, folder: Path, data: bytes) -> bool:
        """Read an input; return whether it was taken for good.

        Raises:
            Exception: What the reader must not raise, or a message of several lines.
        """
        path = folder / self.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        try:
            self.read(folder)
        except self.accepted as error:
            message = str(error)
        else:
            return True
        assert "\n" not in message, f"a message of several lines: {message!r:.200}"
        assert len(message) < 20_000, f"a message of {len(message)} characters"
        return False
