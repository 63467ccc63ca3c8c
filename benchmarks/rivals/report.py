"""What was measured, as markdown tables and as JSON."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contestants import Contestant


@dataclass
class Entry:
    """A contestant and its measurements.

    Attributes:
        contestant: Who.
        description: What its worker said about itself: versions, parameters, forms, trials.
        seconds: Of every round, by output.
        differences: From the reference's numbers, by output.
        memory: Megabytes, see `memory.measure_memory`.
    """

    contestant: Contestant
    description: dict[str, Any]
    seconds: dict[str, list[float]] = field(default_factory=dict)
    differences: dict[str, float] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)


@dataclass
class Heat:
    """Contestants that took turns.

    Attributes:
        name: Of the heat.
        entries: Who took part; the first is the reference if `has_reference`.
        has_reference: The contestant meant as the reference could be started.
        left_out: Why others did not take part, by name.
        idle_share: Processor time that waiting workers used, as a share of one core; `None` where
            none waited.
        load_before: Load average of the machine before the heat: of other work.
    """

    name: str
    entries: list[Entry] = field(default_factory=list)
    has_reference: bool = False
    left_out: dict[str, str] = field(default_factory=dict)
    idle_share: float | None = None
    load_before: float = 0.0


def time_table(heat: Heat, outputs: Sequence[str]) -> str:
    """Return a table of medians and of per-round ratios against the reference and against ours."""
    header = ["network", "backend"]
    for output in outputs:
        header += [f"{output}, ms", "times as fast as the first row", "segnext is faster by"]
    lines = [header, ["---"] * len(header)]
    for entry in heat.entries:
        row = [entry.contestant.network, _backend(entry)]
        for output in outputs:
            row += _time_cells(heat, entry, output)
        lines.append(row)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def memory_table(heat: Heat) -> str:
    """Return a table of peaks beyond the idle process, and their share of the first row's."""
    header = ["network", "backend", "idle, MB"]
    header += ["first run, MB more", "share", "next run, MB more", "share"]
    lines = [header, ["---"] * len(header)]
    for entry in heat.entries:
        row = [entry.contestant.network, _backend(entry), f"{entry.memory['idle_mb']:.0f}"]
        for run in ("first_mb", "next_mb"):
            above = _above_idle(entry, run)
            share = above / _above_idle(heat.entries[0], run)
            row += [f"{above:.0f}", f"{share:.2f}" if heat.has_reference else "-"]
        lines.append(row)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def notes(heat: Heat) -> str:
    """Return what a reader of the tables has to know, one line each."""
    lines = [f"left out: {name}: {reason}" for name, reason in heat.left_out.items()]
    for entry in heat.entries:
        told = entry.differences
        if told:
            lines.append(
                f"{entry.contestant.name}: logits differ by {told['logits']:.1e} at most (largest "
                f"value {told['largest']:.1f}), {100 * told['labels']:.4f} % of labels are equal"
            )
    if heat.idle_share is not None:
        lines.append(f"waiting workers used {100 * heat.idle_share:.1f} % of a core")
    lines.append(f"load of the machine before the start: {heat.load_before:.2f}")
    return "\n".join(lines)


def ratio(slow: Sequence[float], fast: Sequence[float]) -> float:
    """Return how many times as fast, as the median over rounds."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def machine() -> dict[str, Any]:
    """Describe the machine without naming it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    wanted = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8")
    return {
        "processor": names[0] if names else platform.machine(),
        "cores": os.cpu_count(),
        "instructions": [name for name in wanted if name in flags],
        "system": f"{platform.system()} {platform.machine()}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def write_json(file: Path, options: dict[str, Any], heats: Sequence[Heat]) -> None:
    """Write everything, every sample included."""
    content = {"machine": machine(), "options": options, "heats": [asdict(heat) for heat in heats]}
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _backend(entry: Entry) -> str:
    forms = entry.description["forms"]
    told = {form for form in forms.values() if form in ("inside", "outside")}
    if entry.contestant.network.startswith("segnext/") or not told:
        return entry.contestant.backend
    if len(told) == 1:
        return f"{entry.contestant.backend}, resized {told.pop()}"
    parts = [f"{output} {form}" for output, form in forms.items()]
    return f"{entry.contestant.backend}, resized: {', '.join(parts)}"


def _time_cells(heat: Heat, entry: Entry, output: str) -> list[str]:
    seconds = entry.seconds[output]
    median = 1000 * statistics.median(seconds)
    cells = [f"{median:.1f} ({1000 * min(seconds):.1f} to {1000 * max(seconds):.1f})"]
    against = ratio(heat.entries[0].seconds[output], seconds)
    cells.append(f"{against:.2f}" if heat.has_reference else "-")
    ours = [one for one in heat.entries if one.contestant.network.startswith("segnext/")]
    if not ours:
        return [*cells, "-"]
    best = min(ours, key=lambda one: statistics.median(one.seconds[output]))
    return [*cells, "(ours)" if entry is best else f"{ratio(seconds, best.seconds[output]):.2f}"]


def _above_idle(entry: Entry, run: str) -> float:
    return entry.memory[run] - entry.memory["idle_mb"]
