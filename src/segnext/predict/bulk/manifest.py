"""What is finished, line by line; what makes a job go on after any end."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any

from segnext.errors import UsageError
from segnext.predict.bulk.shard import Shard, digest_name
from segnext.predict.bulk.storing import Store
from segnext.predict.bulk.worker import Outcome

# Key of the lines that say what made the outputs of those below.
MADE = "made"


class Manifest:
    """An append-only record of a shard's pictures, a JSON object on each line.

    A line is written after the files that it speaks of are durable, in batches. On opening, the
    manifests of all shards are read that may hold this shard's pictures; of finished names 16 bytes
    stay in memory. Lines that are cut off, as a kill leaves them, count as never written.

    Args:
        store: The output folder.
        shard: Whose record this is.
        made: What makes the outputs; runs that differ in it cannot share a folder.

    Attributes:
        name: Of the manifest, without folder and suffix.

    Raises:
        UsageError: The folder holds outputs that were made otherwise.
    """

    def __init__(self, store: Store, shard: Shard, made: Mapping[str, Any]) -> None:
        self.name = f"shard-{shard.index:05}-of-{shard.count:05}"
        self._store, self._shard = store, shard
        self._header = _encode({MADE: dict(made)})
        self._made = json.loads(self._header)[MADE]
        self._finished: set[bytes] = set()
        self._waiting: list[Outcome] = []
        self._last_write = time.monotonic()
        self._read_all()

    def __enter__(self) -> "Manifest":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.write()

    def claim(self, name: str) -> bool:
        """Tell whether a picture of this shard is still to do, which it is only once."""
        digest = digest_name(name)
        if digest in self._finished:
            return False
        self._finished.add(digest)
        return True

    def add(self, outcome: Outcome) -> None:
        """Take note of a picture; its line is durable some pictures or seconds later."""
        self._waiting.append(outcome)
        due = time.monotonic() - self._last_write >= self._store.batch_seconds
        if due or len(self._waiting) >= self._store.batch_lines:
            self.write()

    def write(self) -> None:
        """Write all lines that wait."""
        if self._waiting:
            self._store.sync([outcome.name for outcome in self._waiting if not outcome.error])
            lines = b"".join(_encode(outcome.to_json()) for outcome in self._waiting)
            # Every batch says what made it: a manifest may be in parts, or begin with a torn line.
            self._store.append(self.name, self._header + lines)
            self._waiting.clear()
        self._last_write = time.monotonic()

    def _read_all(self) -> None:
        checked = set()
        for file in self._store.manifests():
            manifest = file.partition(".")[0]
            # Another one of as many shards cannot hold this one's pictures.
            other = manifest != self.name and manifest.endswith(f"-of-{self._shard.count:05}")
            if not (other and manifest in checked):
                self._read(file, only_made=other)
            checked.add(manifest)

    def _read(self, file: str, *, only_made: bool) -> None:
        for line in _decode(self._store.read_lines(file)):
            if MADE in line:
                self._check_made(file, line[MADE])
                if only_made:
                    return
            elif "error" not in line:
                digest = digest_name(line["name"])
                if self._shard.owns(digest):
                    self._finished.add(digest)

    def _check_made(self, file: str, made: Mapping[str, Any]) -> None:
        for key, value in self._made.items():
            if made.get(key) != value:
                msg = (
                    f"{self._store.place}: holds outputs of other {key}, says {file}: "
                    f"{_show(made.get(key))}, not {_show(value)}; choose another --out"
                )
                raise UsageError(msg)


def _encode(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content).encode() + b"\n"


def _decode(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        # What begins an object and is cut off is never JSON. Its picture is predicted again.
        with suppress(ValueError):
            yield json.loads(line)


def _show(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:12]}..."
