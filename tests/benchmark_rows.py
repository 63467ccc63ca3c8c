"""Rows of a benchmark with round figures, for tests of what shows them."""

from typing import Any

from segnext.benchmark.cases import Case, Subject
from segnext.benchmark.costs import Costs, ModuleCost
from segnext.benchmark.machine import Machine
from segnext.benchmark.memory import PeakMemory
from segnext.benchmark.result import Row
from segnext.benchmark.timing import Timing

COSTS = Costs(
    (512, 1024),
    (
        ModuleCost("", 4_000_000, 10_000_000_000, 25_000_000_000),
        ModuleCost("encoder", 3_000_000, 9_000_000_000, 20_000_000_000),
        ModuleCost("encoder.stages.0", 1_000_000, 2_000_000_000, 5_000_000_000),
        ModuleCost("encoder.stages.0.blocks.0", 500_000, 1_000_000_000, 2_000_000_000),
        ModuleCost("decoder", 1_000_000, 1_000_000_000, 5_000_000_000),
        ModuleCost("decoder.hamburger.nmf", 0, 500_000_000, 1_000_000_000),
        ModuleCost("decoder.dropout", 0, 0, 0),
    ),
    (),
)
MACHINE = Machine(
    cpu="A CPU",
    cores=2,
    logical_cores=2,
    memory_gb=16.0,
    system="Linux 6 x86_64",
    versions={"torch": "2.13.0"},
    threads=2,
    device="cpu",
    accelerator=None,
    accelerator_memory_gb=None,
    cuda=None,
    peak_gflops={"float32": 100.0},
    copy_gb_s=20.0,
)


def make_case(model: str = "segnext_tiny", backend: str = "folded", **options: Any) -> Case:
    subject = Subject(model, model, "model", 150)
    return Case(subject=subject, backend=backend, size=(512, 1024), **options)


def make_row(
    model: str = "segnext_tiny", backend: str = "folded", *, seconds: float = 0.5, **options: Any
) -> Row:
    """A row whose calls took `seconds`, but for the slowest fifth: 1.5 times that."""
    return Row(
        case=make_case(model, backend, **options),
        backend=backend,
        device="cpu",
        costs=COSTS,
        timing=Timing((seconds,) * 8 + (1.5 * seconds,) * 2, rounds=10),
        memory=PeakMemory(idle_mb=300.0, peak_mb=420.0, exact=True),
        peak_gflops=100.0,
    )


def make_gap(model: str = "segnext_tiny", backend: str = "openvino", **options: Any) -> Row:
    """A row of a backend that is not installed."""
    case = make_case(model, backend, **options)
    return Row(case=case, backend=backend, costs=COSTS, why_not="needs openvino: pip install")
