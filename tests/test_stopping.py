import os
import signal
import threading

import pytest

from segnext.errors import SegnextError
from segnext.stopping import StoppedError, listen_for_stop


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_and_kills_nothing(number: signal.Signals) -> None:
    with listen_for_stop() as request:
        assert request.number == 0
        os.kill(os.getpid(), number)
        assert request.number == number


def test_signals_mean_afterwards_what_they_meant_before() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(SegnextError), listen_for_stop():
        raise SegnextError("a step went wrong")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_each_listening_starts_unasked() -> None:
    with listen_for_stop() as first:
        signal.raise_signal(signal.SIGTERM)
    with listen_for_stop() as second:
        assert (first.number, second.number) == (signal.SIGTERM, 0)


def test_a_thread_listens_to_nothing() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def listen() -> None:
        with listen_for_stop() as request:
            seen.append((request.number, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert seen == [(0, before)]


def test_a_stop_ends_as_the_shell_expects() -> None:
    assert StoppedError("stopped").exit_code == 130
    assert StoppedError("stopped", 143).exit_code == 143
