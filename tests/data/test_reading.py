import subprocess
import sys
import threading

import pytest

from segnext.data.reading import read_ahead, wait_for


def test_reading_ahead_keeps_order_and_hands_errors_to_the_caller() -> None:
    def read(item: int) -> int:
        if item == 5:
            raise ValueError("five")
        return item * 10

    found = []
    for item, reading in read_ahead(read, range(8), depth=3):
        try:
            found.append((item, reading.result()))
        except ValueError as error:
            found.append((item, str(error)))
    expected = [(i, i * 10) for i in range(8)]
    expected[5] = (5, "five")
    assert found == expected


def test_who_waits_long_says_so_ever_less_often() -> None:
    come, waits = threading.Event(), list[float]()

    def read(item: int) -> int:
        assert come.wait(60)
        return item

    def hear(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            come.set()

    ahead = read_ahead(read, [7])
    _, reading = next(ahead)
    assert wait_for(reading, slow=0.01, on_slow=hear) == 7
    assert len(waits) == 3
    assert all(waited >= 0.01 * 2**place for place, waited in enumerate(waits))
    assert wait_for(reading, slow=0.01, on_slow=hear) == 7
    assert len(waits) == 3


def test_what_reading_raises_is_raised() -> None:
    def read(_item: int) -> None:
        raise TimeoutError("a drive")

    ahead = read_ahead(read, [0])
    _, reading = next(ahead)
    with pytest.raises(TimeoutError, match="a drive"):
        wait_for(reading, slow=60)


def test_opening_and_reading_data_needs_no_torch() -> None:
    # Worker processes of preparations and check-ups would load it for nothing.
    code = "import sys, segnext.data, segnext.data.checkup; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
