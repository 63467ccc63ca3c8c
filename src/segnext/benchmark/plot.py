"""Latency by model and backend as a picture."""

import io
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from segnext.benchmark.result import Row
from segnext.benchmark.timing import Timing

# Okabe and Ito's colours, told apart by colour-blind readers too; then other marks.
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_MARKS = ("o", "s", "^", "D")
_INCHES_PER_BAR = 0.24


def draw_latency(rows: Sequence[Row]) -> bytes | None:
    """Draw median and p90 of every timed row, a panel for each size, batch and output.

    Args:
        rows: Those without times are left out.

    Returns:
        A PNG file, or `None` if nothing was timed.
    """
    timed = [row for row in rows if row.timing is not None]
    if not timed:
        return None
    panels = list(dict.fromkeys(_panel(row) for row in timed))
    series = list(dict.fromkeys(_series(row) for row in timed))
    most = max(len(_labels(timed, panel)) for panel in panels)
    height = 1.6 + _INCHES_PER_BAR * most * (len(series) + 1)
    # No pyplot: a figure of its own needs no screen and leaves nothing open.
    figure = Figure(figsize=(1.5 + 5 * len(panels), height), layout="constrained")
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        _draw_panel(axes, [row for row in timed if _panel(row) == panel], series)
        axes.set_title(panel)
    handles = {
        label: handle
        for axes in figure.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    named = [name for name in series if name in handles]
    figure.legend(
        [handles[name] for name in named],
        named,
        loc="outside lower center",
        ncols=min(4, len(named)),
    )
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=110)
    return drawn.getvalue()


def _draw_panel(axes: Axes, rows: Sequence[Row], series: Sequence[str]) -> None:
    labels = list(dict.fromkeys(row.case.subject.label for row in rows))
    for place, name in enumerate(series):
        chosen = [row for row in rows if _series(row) == name]
        if not chosen:
            continue
        # The first series lies on top within a model's band of height 0.8.
        offset = 0.8 * ((place + 0.5) / len(series) - 0.5)
        heights = [labels.index(row.case.subject.label) + offset for row in chosen]
        spans = [_span(row.timing) for row in chosen if row.timing is not None]
        medians, tails = zip(*spans, strict=True)
        color = _COLORS[place % len(_COLORS)]
        mark = _MARKS[place // len(_COLORS) % len(_MARKS)]
        axes.plot(medians, heights, mark, label=name, markersize=6, color=color)
        axes.hlines(heights, medians, tails, linewidth=2, color=color)
        for height, middle, tail in zip(heights, medians, tails, strict=True):
            axes.annotate(
                f"{middle:.0f}" if middle >= 100 else f"{middle:.3g}",
                (max(middle, tail), height),
                (6, 0),
                textcoords="offset points",
                verticalalignment="center",
                fontsize=8,
            )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    everything = [time for row in rows if row.timing for time in _span(row.timing)]
    axes.set(
        xlim=(min(everything) / 2, max(everything) * 2),  # room for numbers, and two ticks or more
        yticks=range(len(labels)),
        yticklabels=labels,
        ylim=(len(labels) - 0.5, -0.5),
        xlabel="median, line to p90 [ms]",
    )
    axes.grid(alpha=0.3, axis="x")


def _span(timing: Timing) -> tuple[float, float]:
    return timing.median_ms, timing.p90_ms


def _labels(rows: Sequence[Row], panel: str) -> set[str]:
    return {row.case.subject.label for row in rows if _panel(row) == panel}


def _panel(row: Row) -> str:
    height, width = row.case.size
    batch = "" if row.case.batch == 1 else f", batch {row.case.batch}"
    return f"{height}x{width}{batch}, {row.case.output}"


def _series(row: Row) -> str:
    precision = "" if row.case.precision == "float32" else f" {row.case.precision}"
    return f"{row.backend}{precision}"
