"""Size, cost, time and memory of the compared systems, all on one machine and in turns."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segnext.benchmark.cases import Case, Subject
from segnext.benchmark.costs import count_costs
from segnext.benchmark.machine import Machine, describe_machine
from segnext.benchmark.memory import PeakMemory, Run, measure_peak
from segnext.benchmark.result import Row
from segnext.benchmark.run import run_benchmark
from segnext.benchmark.timing import Timing, Way, time_in_turns
from segnext.classification.files import load_classifier
from segnext.compare.config import CompareConfig
from segnext.compare.running import SystemRun
from segnext.errors import TrainingError
from segnext.inference import choose_device
from segnext.storage import write_atomically

MEASURED = "measured.json"
EAGER = "eager"


@dataclass(frozen=True)
class Measured:
    """Figures of one system that training does not change.

    Attributes:
        parameters: Of the whole model.
        macs: Of one image at the comparison's size.
        milliseconds: Median time of one image to labels, by backend.
        memory_mb: Peak above the idle process of one image, by backend [10**6 bytes].
        backends: The backend that answered, by the one that was asked for.
        why_not: What could not be measured, in one line each, by backend.
    """

    parameters: int
    macs: int
    milliseconds: dict[str, float]
    memory_mb: dict[str, float]
    backends: dict[str, str]
    why_not: dict[str, str]


def measure_systems(
    config: CompareConfig,
    out: Path,
    runs: Sequence[SystemRun],
    *,
    rounds: int = 9,
    on_step: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, Measured]:
    """Measure every system by the weights of its first run; backends and systems take turns.

    What an earlier call measured is kept as long as the weights and what is asked are the same.

    Args:
        config: Says at which size and in which backends.
        out: Folder of the comparison; `measured.json` is written there.
        runs: Finished trainings.
        rounds: Timed turns.
        on_step: Called with steps done and in all.

    Raises:
        WeightsError: Weights cannot be read.
        TrainingError: `measured.json` is damaged.
    """
    first: dict[str, SystemRun] = {}
    for run in runs:
        first.setdefault(run.system, run)
    asked: dict[str, Any] = {
        "size": list(config.size),
        "backends": list(config.backends),
        "rounds": rounds,
        "weights": {name: run.weights for name, run in first.items()},
    }
    path = out / MEASURED
    kept = _read(path)
    if kept is not None and kept["asked"] == asked:
        return {name: Measured(**entry) for name, entry in kept["systems"].items()}
    device = choose_device(None)
    if config.task == "classify":
        files = {name: out / run.weights for name, run in first.items()}
        systems = _measure_classifiers(config, files, device, rounds)
        _write(path, asked, describe_machine(device, ("float32",)), systems)
        return systems
    cases = [
        Case(
            subject=Subject(name, str(out / run.weights), "weights", num_classes=0),
            backend=backend,
            size=config.size,
        )
        for name, run in first.items()
        for backend in config.backends
    ]
    result = run_benchmark(cases, device=device, rounds=rounds, all_in_turns=True, on_step=on_step)
    names = [(case.subject.label, case.backend) for case in cases]
    rows = dict(zip(names, result.rows, strict=True))
    systems = {
        name: _collect({backend: rows[name, backend] for backend in config.backends})
        for name in first
    }
    assert result.machine is not None  # where anything is run
    _write(path, asked, result.machine, systems)
    return systems


def read_machine(out: Path) -> str:
    """Return on what the kept figures were taken, in one line; empty if there are none."""
    kept = _read(out / MEASURED)
    return "" if kept is None else str(kept["machine"])


def _measure_classifiers(
    config: CompareConfig, files: Mapping[str, Path], device: torch.device, rounds: int
) -> dict[str, Measured]:
    """Measure encoders with their heads, in turns; `eager` alone, backends know no classifiers."""
    prepared = {
        name: partial(_prepare_classifier, file, config.size, device)
        for name, file in files.items()
        if EAGER in config.backends
    }
    ways = {name: Way(prepare(), device) for name, prepare in prepared.items()}
    timings = time_in_turns(ways, rounds=rounds).timings
    ways.clear()  # and with them the models
    peaks = {name: measure_peak(prepared[name], device) for name in timings}
    return {
        name: _measure_classifier(config, file, timings.get(name), peaks.get(name))
        for name, file in files.items()
    }


def _measure_classifier(
    config: CompareConfig, file: Path, timing: Timing | None, memory: PeakMemory | None
) -> Measured:
    model, spec = load_classifier(file)
    costs = count_costs(model, config.size, in_channels=spec.normalization.channels)
    return Measured(
        parameters=costs.parameters,
        macs=costs.macs,
        milliseconds={EAGER: timing.median_ms} if timing else {},
        memory_mb={EAGER: memory.above_idle_mb} if memory else {},
        backends={EAGER: EAGER} if timing else {},
        why_not={name: "runs no classifiers" for name in config.backends if name != EAGER},
    )


def _prepare_classifier(file: Path, size: tuple[int, int], device: torch.device) -> Run:
    model, spec = load_classifier(file, device=device)

    def run() -> Tensor:
        images = torch.zeros(1, spec.normalization.channels, *size, device=device)
        with torch.inference_mode():
            labels: Tensor = model(images.to(memory_format=torch.channels_last)).argmax(dim=1)
        return labels

    return run


def _write(
    path: Path, asked: dict[str, Any], machine: Machine, systems: dict[str, Measured]
) -> None:
    about = {
        "asked": asked,
        "machine": "; ".join(machine.describe()),
        "systems": {name: asdict(measured) for name, measured in systems.items()},
    }
    write_atomically(path, (json.dumps(about, indent=1) + "\n").encode())


def _collect(rows: dict[str, Row]) -> Measured:
    costs = next(row.costs for row in rows.values())
    assert costs is not None  # weights can always be counted
    return Measured(
        parameters=costs.parameters,
        macs=costs.macs,
        milliseconds={b: row.timing.median_ms for b, row in rows.items() if row.timing},
        memory_mb={b: row.memory.above_idle_mb for b, row in rows.items() if row.memory},
        backends={b: row.backend for b, row in rows.items()},
        why_not={b: row.why_not for b, row in rows.items() if row.why_not},
    )


def _read(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not {"asked", "machine", "systems"} <= kept.keys():
            msg = "entries are missing"
            raise ValueError(msg)
    except (OSError, TypeError, ValueError, AttributeError) as error:
        msg = f"{path}: damaged ({error}); remove it, and the systems are measured anew"
        raise TrainingError(msg) from error
    return kept
