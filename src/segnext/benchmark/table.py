"""A benchmark as tables for the terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from segnext.benchmark.costs import Costs
from segnext.benchmark.result import Benchmark, Row
from segnext.errors import list_some

NOT_MEASURED = "not measured"
# Modules deeper than `encoder.stages.0` and `decoder.hamburger.nmf` are in the JSON alone.
_DEPTH = 3
_WIDEST = 1000

_CASE = ("model", "backend", "size", "batch", "precision", "output")
_ALWAYS = ("model", "backend")
_FIGURES = (
    "params\n[M]",
    "MACs\n[G]",
    "FLOPs\n[G]",
    "median\n[ms]",
    "p90\n[ms]",
    "images\nper s",
    "memory\n[MB]",
    "of\npeak",
)


def build_table(rows: Sequence[Row]) -> Table:
    """Build the table of all rows: costs, times, memory and the share of the machine's peak.

    What is the same in all rows has no column; `describe_benchmark` tells it.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    kept = [place for place, title in enumerate(_CASE) if _varies(rows, place) or title in _ALWAYS]
    for place in kept:
        table.add_column(_CASE[place], no_wrap=True)
    for title in _FIGURES:
        table.add_column(escape(title), justify="right", no_wrap=True)
    for row in rows:
        described = _describe_case(row)
        table.add_row(*(escape(described[place]) for place in kept), *_describe_figures(row))
    return table


def _varies(rows: Sequence[Row], place: int) -> bool:
    return len({_describe_case(row)[place] for row in rows}) > 1


def _describe_case(row: Row) -> list[str]:
    case = row.case
    height, width = case.size
    return [
        case.subject.label,
        row.backend,
        f"{height}x{width}",
        f"batch {case.batch}",
        case.precision,
        case.output,
    ]


def _describe_figures(row: Row) -> list[str]:
    costs, timing, memory = row.costs, row.timing, row.memory
    images_per_s = row.images_per_s or row.published_images_per_s
    return [
        "-" if costs is None else f"{costs.parameters / 1e6:.2f}",
        "-" if costs is None else f"{costs.macs / 1e9:.2f}",
        "-" if costs is None else f"{costs.flops / 1e9:.2f}",
        NOT_MEASURED if timing is None else f"{timing.median_ms:.1f}",
        "-" if timing is None else f"{timing.p90_ms:.1f}",
        "-" if images_per_s is None else f"{images_per_s:.2f}",
        "-" if memory is None else f"{'' if memory.exact else '<= '}{memory.above_idle_mb:.0f}",
        "-" if row.share is None else f"{row.share:.0%}",
    ]


def describe_gaps(rows: Sequence[Row]) -> list[str]:
    """Return a line for each reason why rows lack figures, with the rows."""
    lacking: dict[str, list[str]] = {}
    for row in rows:
        if row.why_not is not None:
            lacking.setdefault(row.why_not, []).append(" ".join(_describe_case(row)))
    return [f"{list_some(cases, 3)}: {reason}" for reason, cases in lacking.items()]


def build_module_table(label: str, costs: Costs) -> Table:
    """Build the table of a model's modules with their parameters, MACs and FLOPs.

    Args:
        label: Of the model.
        costs: Of the model at a size.
    """
    height, width = costs.size
    title = escape(f"{label}, {height}x{width}, one image")
    table = Table(title=title, box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("module", no_wrap=True)
    for column in ("params [M]", "MACs [G]", "FLOPs [G]", "of MACs"):
        table.add_column(escape(column), justify="right")
    for module in costs.modules:
        parts = module.name.split(".")
        if len(parts) > _DEPTH or not (module.parameters or module.flops):
            continue
        table.add_row(
            module.name or "all",
            f"{module.parameters / 1e6:.3f}",
            f"{module.macs / 1e9:.3f}",
            f"{module.flops / 1e9:.3f}",
            f"{module.macs / max(1, costs.macs):.1%}",
        )
    return table


def describe_benchmark(benchmark: Benchmark) -> list[str]:
    """Return what the table leaves out, in lines: what is common to its rows, machine and gaps."""
    rows = benchmark.rows
    common = [
        text
        for place, text in enumerate(_describe_case(rows[0]))
        if not _varies(rows, place) and _CASE[place] not in _ALWAYS
    ]
    lines = [", ".join(common)] if common else []
    lines.append(
        "parameters, MACs and FLOPs: of the model's definition, for one image; memory: above the "
        "idle process"
    )
    if benchmark.machine is not None:
        lines += benchmark.machine.describe()
    return lines + describe_gaps(rows)


def print_benchmark(benchmark: Benchmark) -> None:
    """Print the table and the lines below it; a terminal that is too narrow gets longer lines."""
    console = Console()
    table = build_table(benchmark.rows)
    everything = console.options.update(max_width=_WIDEST)
    console.width = max(console.width, Measurement.get(console, everything, table).maximum)
    console.print(table)
    console.print()
    for line in describe_benchmark(benchmark):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
