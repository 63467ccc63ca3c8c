"""How a run is asked to stop, and how it says that it did."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from segnext.errors import SegnextError

# What a shell reports for a process that a signal ended: 128 and the signal's number.
EXIT_CODES = {signal.SIGINT: 128 + signal.SIGINT, signal.SIGTERM: 128 + signal.SIGTERM}


class StoppedError(SegnextError):
    """The run was asked to stop; its state is saved.

    Attributes:
        exit_code: 130 after Ctrl-C (SIGINT), 143 after SIGTERM.
    """

    def __init__(self, message: str, exit_code: int = EXIT_CODES[signal.SIGINT]) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class StopRequest:
    """Which signal asked this process to stop.

    Attributes:
        number: Of the signal; 0 while nobody asked.
    """

    number = 0


@contextmanager
def listen_for_stop() -> Iterator[StopRequest]:
    """Note SIGINT and SIGTERM instead of dying of them, so that a run stops between two steps."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request  # signals belong to the main thread; elsewhere nobody asks us to stop
        return

    def note(number: int, _frame: FrameType | None) -> None:
        request.number = number

    before = {number: signal.signal(number, note) for number in EXIT_CODES}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
