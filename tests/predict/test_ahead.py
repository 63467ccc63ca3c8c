import threading
import time
from collections.abc import Generator

import pytest

from segnext.predict.ahead import run_ahead
from videos import count_stages


class Counting:
    """A generator of numbers that notes how far it came and in which thread it was closed."""

    def __init__(self, count: int, fail_at: int | None = None) -> None:
        self.count = count
        self.fail_at = fail_at
        self.made = 0
        self.closed_by: threading.Thread | None = None

    def __iter__(self) -> Generator[int]:
        try:
            for number in range(self.count):
                if number == self.fail_at:
                    raise ValueError("no more")
                self.made = number + 1
                yield number
        finally:
            self.closed_by = threading.current_thread()


def wait_until_idle(counting: Counting) -> int:
    """Return how far it came once it came no farther for a while."""
    made = -1
    while made != counting.made:
        made = counting.made
        time.sleep(0.05)
    return made


def test_the_order_is_kept_and_all_come() -> None:
    assert list(run_ahead(iter(Counting(100)))) == list(range(100))
    assert list(run_ahead(iter(Counting(0)))) == []


def test_no_more_than_few_are_made_ahead() -> None:
    counting = Counting(1000)
    ahead = run_ahead(iter(counting), depth=3)
    assert counting.made == 0  # nothing before it is asked for
    assert next(ahead) == 0
    assert wait_until_idle(counting) == 1 + 3 + 1  # taken, waiting, in the thread's hands
    ahead.close()
    assert counting.made <= 6
    assert counting.closed_by not in (None, threading.current_thread())


def test_what_goes_wrong_comes_behind_what_went_well() -> None:
    counting = Counting(10, fail_at=5)
    seen = []
    with pytest.raises(ValueError, match="no more"):
        seen.extend(run_ahead(iter(counting)))
    ahead = run_ahead(iter(Counting(10, fail_at=5)))
    assert [next(ahead) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="no more"):
        next(ahead)


def test_stages_in_a_row_stop_together() -> None:
    counting = Counting(1000)

    def double(numbers: Generator[int]) -> Generator[int]:
        try:
            for number in numbers:
                yield 2 * number
        finally:
            numbers.close()

    ahead = run_ahead(double(run_ahead(iter(counting))))
    assert [next(ahead) for _ in range(3)] == [0, 2, 4]
    assert count_stages() == 2
    ahead.close()
    assert counting.closed_by is not None
    assert count_stages() == 0


def test_a_lossy_one_never_waits() -> None:
    counting = Counting(1000)
    ahead = run_ahead(iter(counting), depth=2, lossy=True)
    assert next(ahead) == 0
    assert wait_until_idle(counting) == 1000
    rest = list(ahead)
    assert 1 <= len(rest) <= 2
    assert rest == sorted(rest)
