"""What a comparison found: a row for every system, as numbers, JSON and CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import mean, stdev
from typing import Any

from segnext.compare.config import CompareConfig, System
from segnext.compare.measuring import Measured
from segnext.compare.running import SystemRun

FORMAT = 1


@dataclass(frozen=True)
class Row:
    """A system and its figures.

    Attributes:
        system: As in the config.
        runs: Finished trainings, one for each seed.
        measured: Size, cost, time and memory; `None` where they were not taken.
        score_name: What it is ranked by.
    """

    system: System
    runs: tuple[SystemRun, ...]
    measured: Measured | None
    score_name: str

    @property
    def scores(self) -> list[float]:
        """The score of each run, in percent."""
        return [run.scores[self.score_name] for run in self.runs]

    @property
    def score(self) -> float | None:
        """Mean over seeds, in percent."""
        return mean(self.scores) if self.runs else None

    @property
    def spread(self) -> float | None:
        """Sample standard deviation over seeds, in points; `None` for a single one."""
        return stdev(self.scores) if len(self.runs) > 1 else None

    @property
    def parameters_m(self) -> float | None:
        """Parameters of the whole model [10**6]."""
        return None if self.measured is None else self.measured.parameters / 1e6

    @property
    def gmacs(self) -> float | None:
        """Multiply-accumulates of one image at the comparison's size [10**9]."""
        return None if self.measured is None else self.measured.macs / 1e9

    def milliseconds(self, backend: str) -> float | None:
        """Median time of one image in a backend."""
        return None if self.measured is None else self.measured.milliseconds.get(backend)

    def memory_mb(self, backend: str) -> float | None:
        """Peak memory of one image in a backend [10**6 bytes]."""
        return None if self.measured is None else self.measured.memory_mb.get(backend)

    @property
    def minutes(self) -> float | None:
        """Of one training, the mean over seeds."""
        return None if self.seconds is None else self.seconds / 60

    @property
    def seconds(self) -> float | None:
        """Of one training, the mean over seeds."""
        return mean(run.seconds for run in self.runs) if self.runs else None

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description; what is not known is `None`."""
        return {
            "system": self.system.name,
            "model": self.system.model,
            "model_options": self.system.model_options,
            "options": self.system.options,
            "note": self.system.note,
            "published": self.system.published,
            "score": self.score,
            "spread": self.spread,
            "training_s": self.seconds,
            "measured": None if self.measured is None else asdict(self.measured),
            "runs": [asdict(run) for run in self.runs],
        }


@dataclass(frozen=True)
class CompareResult:
    """A comparison that was run.

    Attributes:
        config: What was compared.
        rows: In the config's order.
        machine: On which times were taken; empty if none were.
    """

    config: CompareConfig
    rows: tuple[Row, ...]
    machine: str

    @property
    def ranked(self) -> list[Row]:
        """Rows that have a score, the best first."""
        scored = [row for row in self.rows if row.score is not None]
        return sorted(scored, key=lambda row: -(row.score or 0.0))

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return {
            "format": FORMAT,
            "config": self.config.model_dump(mode="json"),
            "score": self.config.score_name,
            "machine": self.machine,
            "rows": [row.to_dict() for row in self.rows],
        }

    def to_csv(self) -> str:
        """Return one line for every run, and one for every system without any."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        backends = self.config.backends
        writer.writerow(
            ["system", "model", "seed", self.config.score_name, "steps", "training_s"]
            + ["parameters", "macs", *(f"{b}_ms" for b in backends)]
            + [f"{b}_memory_mb" for b in backends]
            + [f"published_{name}" for name in published_names(self.rows)]
        )
        for row in self.rows:
            known = _known(row, backends) + [
                row.system.published.get(name, "") for name in published_names(self.rows)
            ]
            head = [row.system.name, row.system.model or ""]
            for run in row.runs:
                score = round(run.scores[row.score_name], 3)
                writer.writerow([*head, run.seed, score, run.steps, round(run.seconds, 1), *known])
            if not row.runs:
                writer.writerow([*head, "", "", "", "", *known])
        return text.getvalue()


def summarize(
    config: CompareConfig,
    runs: Sequence[SystemRun],
    measured: Mapping[str, Measured],
    machine: str = "",
) -> CompareResult:
    """Put together what was found of each system.

    Args:
        config: What was compared.
        runs: Finished trainings.
        measured: By the system's name; may lack any.
        machine: On which times were taken.
    """
    rows = tuple(
        Row(
            system,
            tuple(run for run in runs if run.system == system.name),
            measured.get(system.name),
            config.score_name,
        )
        for system in config.systems
    )
    return CompareResult(config, rows, machine)


def published_names(rows: Sequence[Row]) -> list[str]:
    """Return the names of all published figures, in the order in which they first stand."""
    return list(dict.fromkeys(name for row in rows for name in row.system.published))


def _known(row: Row, backends: Sequence[str]) -> list[Any]:
    sizes = ("", "") if row.measured is None else (row.measured.parameters, row.measured.macs)
    times = [_rounded(row.milliseconds(backend)) for backend in backends]
    return [*sizes, *times, *(_rounded(row.memory_mb(backend)) for backend in backends)]


def _rounded(value: float | None) -> float | str:
    return "" if value is None else round(value, 2)
