"""What everybody needs of a data set, and reading it ahead of the one who works on it.

Apart from `segnext.data.loader`, so that processes that only read pictures need not load torch.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, Protocol, TypeVar

_Item = TypeVar("_Item")
_Read = TypeVar("_Read")


class LabelledImages(Protocol):
    """What the loader needs of a data set."""

    def __len__(self) -> int:
        """Return the number of images."""

    def __getitem__(self, index: int) -> Mapping[str, Any]:
        """Return at least `image` (H, W, C) and `mask` (H, W) of train ids."""

    def path(self, index: int) -> Path:
        """Return where an image lies."""


def read_ahead(
    read: Callable[[_Item], _Read], items: Iterable[_Item], *, depth: int = 4
) -> Iterator[tuple[_Item, "Future[_Read]"]]:
    """Read items in threads while the caller works on earlier ones; order is kept.

    Args:
        read: Called once for each item.
        items: Consumed at most `depth` items ahead.
        depth: Finished readings that may wait.

    Yields:
        Each item with its reading; `result()` of it waits, and raises what `read` raised.
    """
    with ThreadPoolExecutor(max_workers=2) as threads:
        waiting: deque[tuple[_Item, Future[_Read]]] = deque()
        for item in items:
            waiting.append((item, threads.submit(read, item)))
            if len(waiting) >= depth:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()


def wait_for(
    reading: "Future[_Read]",
    *,
    slow: float = math.inf,
    on_slow: Callable[[float], None] = lambda _: None,
) -> _Read:
    """Return what was read, and say so while it takes long.

    Args:
        reading: From `read_ahead`.
        slow: Seconds after which to say so, and again after twice that, four times...
        on_slow: Called with the seconds waited for so far.

    Raises:
        Exception: What reading raised.
    """
    begin = time.monotonic()
    while math.isfinite(slow) and not wait([reading], begin + slow - time.monotonic()).done:
        on_slow(time.monotonic() - begin)
        slow *= 2
    return reading.result()
