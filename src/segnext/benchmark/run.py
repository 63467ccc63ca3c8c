"""Running cases: costs, then times in turns, then memory in processes of their own.

Backends take turns at what is otherwise the same case, so that their ratios hold. One that is
missing or fails is a row that says why.
"""

import functools
import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from segnext.benchmark.cases import Case, Opener, Subject
from segnext.benchmark.costs import Costs
from segnext.benchmark.machine import Machine, describe_machine
from segnext.benchmark.memory import Run, measure_peak
from segnext.benchmark.result import Benchmark, Row
from segnext.benchmark.timing import Way, time_in_turns
from segnext.inference.backends import BACKENDS, Runner, open_runner
from segnext.inference.backends.registry import Backend

LONGEST_REASON = 300

OnStep = Callable[[int, int], None]


def run_benchmark(
    cases: Sequence[Case],
    *,
    device: torch.device,
    opener: Opener = open_runner,
    backends: Mapping[str, Backend] = BACKENDS,
    rounds: int = 9,
    memory: bool = True,
    all_in_turns: bool = False,
    on_step: OnStep = lambda _done, _total: None,
) -> Benchmark:
    """Measure every case on this machine.

    Args:
        cases: What to run; neighbours that differ in the backend alone take turns.
        device: Whose peaks the shares are of.
        opener: Makes runners.
        backends: By name; what they miss is asked first.
        rounds: Timed turns of each case.
        memory: Measure memory too, which takes a process and some seconds for each case.
        all_in_turns: Let all cases take turns, which keeps all of them in memory.
        on_step: Called with steps done and in all.

    Raises:
        UsageError, WeightsError: A model cannot be counted or its weights not be read.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(max((case.threads or before for case in cases), default=before))
    try:
        machine = describe_machine(device, tuple(dict.fromkeys(case.precision for case in cases)))
        groups = [list(cases)] if all_in_turns else _group(cases)
        steps = _Steps(len(cases) * (rounds + 1 + memory), on_step)
        session = _Session(opener, backends, machine, rounds, memory, steps)
        rows = [row for group in groups for row in session.measure(group)]
    finally:
        torch.set_num_threads(before)
    return Benchmark(machine, rows)


def list_unmeasured(cases: Sequence[Case], why_not: str) -> Benchmark:
    """Return cases that cannot be run here as rows without any figure.

    Args:
        cases: What would have been run.
        why_not: Why it was not, in one line.
    """
    return Benchmark(
        None, [Row(case=case, backend=case.backend, why_not=why_not) for case in cases]
    )


class _Steps:
    """Counts what is done, for a progress bar."""

    def __init__(self, total: int, on_step: OnStep) -> None:
        self.done, self.total, self.on_step = 0, total, on_step

    def advance(self, by: int = 1) -> None:
        self.done += by
        self.on_step(self.done, self.total)


def _group(cases: Sequence[Case]) -> list[list[Case]]:
    """Put neighbouring cases together that differ in nothing but the backend."""
    groups: list[list[Case]] = []
    for case in cases:
        if not groups or replace(groups[-1][-1], backend=case.backend) != case:
            groups.append([])
        groups[-1].append(case)
    return groups


class _Session:
    """Measures groups of cases, all in the same way."""

    def __init__(
        self,
        opener: Opener,
        backends: Mapping[str, Backend],
        machine: Machine,
        rounds: int,
        memory: bool,
        steps: _Steps,
    ) -> None:
        self.opener = opener
        self.backends = backends
        self.machine = machine
        self.rounds = rounds
        self.memory = memory
        self.steps = steps
        self.counted: dict[tuple[Subject, tuple[int, int]], Costs | None] = {}

    def measure(self, cases: Sequence[Case]) -> list[Row]:
        """Time cases in turns, then measure the memory of each."""
        rows = self._time([self._first_row(case) for case in cases])
        if self.memory:
            rows = [self._with_memory(row) for row in rows]
        return rows

    def _first_row(self, case: Case) -> Row:
        key = case.subject, case.size
        if key not in self.counted:
            self.counted[key] = case.subject.count(case.size)
        return Row(
            case=case,
            backend=case.backend,
            costs=self.counted[key],
            why_not=self.backends[case.backend].missing()
            if case.backend in self.backends
            else None,
        )

    def _time(self, rows: Sequence[Row]) -> list[Row]:
        found: list[Row] = []
        ways: dict[str, Way] = {}
        for index, row in enumerate(rows):
            if row.why_not is None:
                row, way = self._open(row)
                ways |= {} if way is None else {str(index): way}
            found.append(row)
        self.steps.advance((len(rows) - len(ways)) * (self.rounds + 1))
        times = time_in_turns(ways, rounds=self.rounds, on_turn=self.steps.advance)
        ways.clear()  # and with them the runners
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        for name, timing in times.timings.items():
            found[int(name)] = replace(found[int(name)], timing=timing)
        for name, error in times.failures.items():
            found[int(name)] = replace(found[int(name)], why_not=_reason(error))
        return found

    def _open(self, row: Row) -> tuple[Row, Way | None]:
        try:
            runner = row.case.open(self.opener)
            way = Way(_bind(row.case, runner), runner.device)
        except Exception as error:  # any backend may raise anything
            return replace(row, why_not=_reason(error)), None
        here = runner.device.type == torch.device(self.machine.device).type
        peak = self.machine.best_gflops(row.case.precision) if here else None
        return replace(row, backend=runner.name, device=str(runner.device), peak_gflops=peak), way

    def _with_memory(self, row: Row) -> Row:
        try:
            if row.timing is None:
                return row
            prepare = functools.partial(_prepare, row.case, self.opener)
            return replace(row, memory=measure_peak(prepare, torch.device(row.device or "cpu")))
        except Exception as error:  # any backend may raise anything
            return replace(row, why_not=f"memory: {_reason(error)}")
        finally:
            self.steps.advance()


def _bind(case: Case, runner: Runner) -> Callable[[], Tensor]:
    images = case.draw_images(runner.channels, pixels=runner.pixels).to(runner.device)
    return lambda: runner.run(images, output=case.output)


def _prepare(case: Case, opener: Opener) -> Run:
    """Open a case in the process that measures memory."""
    runner = case.open(opener)
    return lambda: _bind(case, runner)()


def _reason(error: Exception) -> str:
    """Return the first line of what an error says."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:LONGEST_REASON]
