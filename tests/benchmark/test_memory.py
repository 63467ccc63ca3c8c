import functools

import pytest
import torch

import fake_backends
from segnext.benchmark import memory
from segnext.benchmark.cases import find_subjects, list_cases
from segnext.benchmark.memory import PeakMemory, measure_peak
from segnext.benchmark.run import _prepare
from segnext.errors import SegnextError

CPU = torch.device("cpu")


def prepare(backend: str) -> functools.partial:
    (subject,) = find_subjects(["segnext_tiny"], 3)
    (case,) = list_cases([subject], [(64, 64)], [backend], ["float32"])
    return functools.partial(_prepare, case, fake_backends.open_fake)


def test_the_peak_is_the_runs_and_not_the_idle_process() -> None:
    found = measure_peak(prepare("hungry"), CPU)
    # Torch alone has more than that resident; the run holds 200 MB for a moment.
    assert found.idle_mb > 50
    assert found.above_idle_mb > 190
    if found.exact:
        assert found.above_idle_mb < 260


def test_errors_come_back() -> None:
    with pytest.raises(RuntimeError, match="cannot be opened"):
        measure_peak(prepare("unopenable"), CPU)


def test_a_process_that_dies_is_told() -> None:
    with pytest.raises(SegnextError, match="it may have run out of memory"):
        measure_peak(fake_backends.die, CPU)


def test_a_peak_below_the_idle_process_is_none() -> None:
    assert PeakMemory(idle_mb=100.0, peak_mb=130.0, exact=True).above_idle_mb == 30.0
    assert PeakMemory(idle_mb=100.0, peak_mb=90.0, exact=False).above_idle_mb == 0.0


def test_a_system_that_remembers_old_peaks_gives_an_upper_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "_forget_peak", lambda: False)
    found = memory._measure_here(lambda: lambda: None, CPU)
    assert not found.exact
    assert found.peak_mb > 0


def test_cuda_counts_what_torch_holds_there(monkeypatch: pytest.MonkeyPatch) -> None:
    order = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _device: order.append("wait"))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _: order.append("reset"))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _device: 20_000_000)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _device: 70_000_000)
    cuda = torch.device("cuda", 0)
    found = memory._measure_here(lambda: lambda: order.append("run"), cuda)
    assert found == PeakMemory(idle_mb=20.0, peak_mb=70.0, exact=True)
    assert order == ["wait", "reset", "run", "wait"]
