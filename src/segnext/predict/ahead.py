"""Work that goes on in a thread while somebody else uses what is done."""

import queue
import threading
from collections.abc import Generator
from typing import TypeVar

Item = TypeVar("Item")


class _End:
    """Nothing more comes, or this was raised."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def run_ahead(items: Generator[Item], *, depth: int = 2, lossy: bool = False) -> Generator[Item]:
    """Run a generator in a thread of its own, a few items ahead; the order is kept.

    The thread starts with the first item that is asked for. Closing this generator stops it: it
    finishes the item it is at, and closes `items`. Generators may be put one behind the other.

    Args:
        items: What to run.
        depth: Items that may wait; the thread waits when so many do.
        lossy: Drop an item instead of waiting, for sources that do not wait either.

    Yields:
        The items. What `items` raises is raised here, behind the items before it.
    """
    waiting: queue.Queue[Item | _End] = queue.Queue(depth)
    stop = threading.Event()
    thread = threading.Thread(
        target=_fill, args=(items, waiting, stop, lossy), name="run_ahead", daemon=True
    )
    thread.start()
    try:
        while not isinstance(item := waiting.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stop.set()
        # The thread may be waiting for a place; it puts nothing more in once it got one.
        while not waiting.empty():
            waiting.get_nowait()
        thread.join()


def _fill(
    items: Generator[Item], waiting: "queue.Queue[Item | _End]", stop: threading.Event, lossy: bool
) -> None:
    end = _End()
    try:
        for item in items:
            if lossy and waiting.full():
                continue
            waiting.put(item)
            if stop.is_set():
                break
    except BaseException as error:  # whatever it is, it belongs to the one who waits
        end = _End(error)
    finally:
        items.close()
    if not stop.is_set():
        waiting.put(end)
