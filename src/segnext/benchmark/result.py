"""What a benchmark found: its rows, the machine, and all of it as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from segnext.benchmark.cases import Case
from segnext.benchmark.costs import Costs
from segnext.benchmark.machine import Machine
from segnext.benchmark.memory import PeakMemory
from segnext.benchmark.timing import Timing

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Row:
    """A case and its figures; what was not measured is `None`, and `why_not` tells why.

    Attributes:
        case: What was run.
        backend: What ran it, which `auto` does not tell.
        device: Where it ran, or should have.
        costs: By the model's definition, whatever the backend saves of it.
        timing: Of calls with the whole batch.
        memory: Peak of one such call.
        peak_gflops: The machine's best [10**9 operations per second] that `share` is of.
        published_images_per_s: What others measured elsewhere; then nothing was measured here.
        why_not: What is missing or went wrong, or where a published figure is from, in one line.
    """

    case: Case
    backend: str
    device: str | None = None
    costs: Costs | None = None
    timing: Timing | None = None
    memory: PeakMemory | None = None
    peak_gflops: float | None = None
    published_images_per_s: float | None = None
    why_not: str | None = None

    @property
    def images_per_s(self) -> float | None:
        """Images in a second at the median time."""
        return None if self.timing is None else 1000 * self.case.batch / self.timing.median_ms

    @property
    def share(self) -> float | None:
        """FLOPs of the model in a second, as a share of the machine's peak, 0-1."""
        if self.costs is None or self.images_per_s is None or not self.peak_gflops:
            return None
        return self.costs.flops * self.images_per_s / (1e9 * self.peak_gflops)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description; what was not measured is `None`."""
        case, costs, timing, memory = self.case, self.costs, self.timing, self.memory
        return {
            "model": case.subject.label,
            "num_classes": None if case.subject.kind == "exported" else case.subject.num_classes,
            "backend": self.backend,
            "device": self.device,
            "size": list(case.size),
            "batch": case.batch,
            "precision": case.precision,
            "output": case.output,
            "parameters": None if costs is None else costs.parameters,
            "macs": None if costs is None else costs.macs,
            "flops": None if costs is None else costs.flops,
            "median_ms": None if timing is None else timing.median_ms,
            "p90_ms": None if timing is None else timing.p90_ms,
            "calls": 0 if timing is None else len(timing.seconds),
            "rounds": 0 if timing is None else timing.rounds,
            "images_per_s": self.images_per_s,
            "published_images_per_s": self.published_images_per_s,
            "peak_memory_mb": None if memory is None else memory.above_idle_mb,
            "peak_memory_exact": None if memory is None else memory.exact,
            "idle_memory_mb": None if memory is None else memory.idle_mb,
            "share_of_peak": self.share,
            "why_not": self.why_not,
        }


@dataclass(frozen=True)
class Benchmark:
    """Everything that one benchmark found.

    Attributes:
        machine: Where; `None` where nothing was run.
        rows: In the order of the cases.
    """

    machine: Machine | None
    rows: Sequence[Row]

    def counted(self) -> Mapping[tuple[str, tuple[int, int]], Costs]:
        """Return the costs of each model at each size, by its label and the size."""
        return {
            (row.case.subject.label, row.case.size): row.costs
            for row in self.rows
            if row.costs is not None
        }

    def to_dict(self, *, per_module: bool = False) -> dict[str, Any]:
        """Return a JSON-ready description.

        Args:
            per_module: Add the costs of every module of every model.
        """
        told: dict[str, Any] = {
            "format": FORMAT,
            "machine": None if self.machine is None else self.machine.to_dict(),
            "rows": [row.to_dict() for row in self.rows],
        }
        if per_module:
            told["modules"] = [
                {
                    "model": label,
                    "size": list(size),
                    "modules": [asdict(module) for module in costs.modules],
                }
                for (label, size), costs in self.counted().items()
            ]
        return told
