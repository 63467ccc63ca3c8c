from collections.abc import Callable
from contextlib import nullcontext

import pytest
import torch

from segnext.benchmark.timing import CALLS_PER_ROUND, WARM_UP, Timing, Way, time_call, time_in_turns

CPU = torch.device("cpu")


def way(call: Callable[[], object] = lambda: None) -> Way:
    return Way(call, CPU)


def test_ways_take_turns_after_warming_up() -> None:
    order = []
    ways = {"a": way(lambda: order.append("a")), "b": way(lambda: order.append("b"))}

    def measure(way: Way) -> float:
        way.call()
        return 0.2  # longer than a round lasts at least, so one call a turn

    turns = []
    times = time_in_turns(ways, rounds=3, measure=measure, on_turn=lambda: turns.append(1))
    assert "".join(order) == "a" * WARM_UP + "b" * WARM_UP + "ab" * 3
    assert len(turns) == 2 * (3 + 1)
    assert times.timings["a"] == Timing((0.2,) * 3, rounds=3)
    assert not times.failures


@pytest.mark.parametrize(("seconds", "calls"), [(0.02, 3), (1e-6, CALLS_PER_ROUND), (0.0, 20)])
def test_short_calls_are_repeated_within_a_round(seconds: float, calls: int) -> None:
    times = time_in_turns({"a": way()}, rounds=2, measure=lambda _: seconds)
    assert times.timings["a"].seconds == (seconds,) * (2 * calls)


def test_a_way_that_raises_leaves_the_others_alone() -> None:
    calls = []

    def fail_late() -> None:
        calls.append(1)
        if len(calls) == 5:
            raise RuntimeError("out of memory")

    ways = {"never": way(lambda: 1 / 0), "late": way(fail_late), "fine": way()}
    times = time_in_turns(ways, rounds=4)
    assert set(times.timings) == {"fine"}
    assert times.timings["fine"].rounds == 4
    assert isinstance(times.failures["never"], ZeroDivisionError)
    assert str(times.failures["late"]) == "out of memory"
    assert len(calls) == 5


def test_median_and_p90() -> None:
    # 1 to 11 ms: the median is the sixth, the 90th percentile the tenth of eleven.
    timing = Timing(tuple(ms / 1000 for ms in range(11, 0, -1)), rounds=11)
    assert timing.median_ms == pytest.approx(6)
    assert timing.p90_ms == pytest.approx(10)
    assert Timing((0.004,), rounds=1).p90_ms == pytest.approx(4)


def test_a_call_is_made_once_and_timed() -> None:
    calls = []
    assert time_call(way(lambda: calls.append(1))) > 0
    assert calls == [1]


def test_cuda_is_timed_by_its_own_events(monkeypatch: pytest.MonkeyPatch) -> None:
    order = []

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            order.append("record")

        def synchronize(self) -> None:
            order.append("wait for the event")

        def elapsed_time(self, end: "Event") -> float:
            return 12.5  # [ms]

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "device", lambda _device: nullcontext())
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _device: order.append("wait for all"))
    cuda = Way(lambda: order.append("call"), torch.device("cuda", 0))
    assert time_call(cuda) == 0.0125
    assert order == ["wait for all", "record", "call", "record", "wait for the event"]
