"""How long calls take: warmed up, in turns, each call on its own.

Speed drifts while a machine heats up or serves others. Ways that take turns share the drift, so
that their ratio holds where their seconds do not.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median, quantiles

import torch

WARM_UP = 2
# A round of a way lasts as long at least, if that takes no more than so many calls.
ROUND_S, CALLS_PER_ROUND = 0.05, 20


@dataclass(frozen=True)
class Timing:
    """Times of single calls.

    Attributes:
        seconds: Of each call, in the order of calling; one or more.
        rounds: In how many turns they were taken.
    """

    seconds: tuple[float, ...]
    rounds: int

    @property
    def median_ms(self) -> float:
        """Median of the calls [ms]."""
        return 1000 * median(self.seconds)

    @property
    def p90_ms(self) -> float:
        """What nine calls in ten stay below, interpolated [ms]."""
        if len(self.seconds) == 1:
            return 1000 * self.seconds[0]
        return 1000 * quantiles(self.seconds, n=10, method="inclusive")[-1]


@dataclass(frozen=True)
class Way:
    """Something to be timed.

    Attributes:
        call: Does the work once.
        device: Where it works; CUDA is timed by its own events.
    """

    call: Callable[[], object]
    device: torch.device


@dataclass(frozen=True)
class Times:
    """What came of timing ways in turns.

    Attributes:
        timings: Of the ways that went well, by name.
        failures: What the others raised, by name.
    """

    timings: Mapping[str, Timing]
    failures: Mapping[str, Exception]


def time_in_turns(
    ways: Mapping[str, Way],
    *,
    rounds: int = 9,
    measure: Callable[[Way], float] | None = None,
    on_turn: Callable[[], None] = lambda: None,
) -> Times:
    """Warm every way up, then let them take turns.

    Args:
        ways: By name. One that raises is left out from then on.
        rounds: Turns of each way, at least 1.
        measure: Calls a way and returns the seconds; `time_call` if not given.
        on_turn: Called after each way's turn, `rounds` + 1 times for each.
    """
    measure = measure or time_call
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    calls: dict[str, int] = {}
    failures: dict[str, Exception] = {}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            try:
                if name not in failures and turn == 0:
                    last = [measure(way) for _ in range(WARM_UP)][-1]
                    calls[name] = _calls_per_round(last)
                elif name not in failures:
                    seconds[name] += [measure(way) for _ in range(calls[name])]
            except Exception as error:  # any backend may raise anything: that is its row
                failures[name] = error
            on_turn()
    timings = {
        name: Timing(tuple(times), rounds)
        for name, times in seconds.items()
        if name not in failures
    }
    return Times(timings, failures)


def time_call(way: Way) -> float:
    """Call once and return the seconds; on CUDA from the start to the end of the device's work."""
    if way.device.type != "cuda":
        start = time.perf_counter()
        way.call()
        wait_for(way.device)
        return time.perf_counter() - start
    with torch.cuda.device(way.device):
        wait_for(way.device)
        first = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        last = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        first.record()
        way.call()
        last.record()
        last.synchronize()
        return float(first.elapsed_time(last)) / 1000


def wait_for(device: torch.device) -> None:
    """Wait until a device has done what it was given; the CPU has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _calls_per_round(seconds: float) -> int:
    if seconds <= 0:
        return CALLS_PER_ROUND
    return min(CALLS_PER_ROUND, max(1, math.ceil(ROUND_S / seconds)))
