"""Score against cost, and score over steps, as pictures.

Colours and dashes tell systems apart for colour-blind readers too; lines and text take the page's
own colour, so that the pictures pass on light and dark paper.
"""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from segnext.compare.result import CompareResult, Row
from segnext.svg import COLORS, NEUTRAL, soften, to_svg

_DASHES = ("-", "--", ":", "-.")

TITLES = {"miou": "mIoU [%]", "top1": "top-1 [%]"}


def draw_pareto(result: CompareResult) -> str | None:
    """Draw score against parameters, MACs and time; those that nothing beats are joined.

    Returns:
        An SVG, or `None` where nothing has both a score and a cost.
    """
    rows = [row for row in result.rows if row.score is not None and row.measured is not None]
    if not rows:
        return None
    costs = [
        ("parameters [M]", {row.system.name: row.parameters_m for row in rows}),
        ("MACs [10$^9$]", {row.system.name: row.gmacs for row in rows}),
    ]
    for backend in result.config.backends:
        times = {row.system.name: row.milliseconds(backend) for row in rows}
        if any(value is not None for value in times.values()):
            costs.append((f"ms, {backend}", times))
    figure = Figure(figsize=(4.2 * len(costs), 3.8), layout="constrained")
    for axes, (title, values) in zip(
        figure.subplots(1, len(costs), squeeze=False, sharey=True)[0], costs, strict=True
    ):
        _draw_costs(axes, rows, values)
        axes.set(xlabel=title, xscale="log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=6))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        soften(axes)
    figure.axes[0].set_ylabel(TITLES[result.config.score_name], color=NEUTRAL)
    return to_svg(figure)


def draw_curves(result: CompareResult) -> str | None:
    """Draw the validation score over steps: the mean over seeds, and the range as a band.

    Returns:
        An SVG, or `None` where nothing was trained.
    """
    rows = [row for row in result.rows if row.runs]
    if not rows:
        return None
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    axes = figure.subplots()
    for place, row in enumerate(rows):
        steps, lows, means, highs = _band(row)
        color, dash = style(place)
        axes.plot(steps, means, dash, color=color, label=row.system.name, linewidth=1.6)
        axes.fill_between(steps, lows, highs, color=color, alpha=0.15, linewidth=0)
    axes.set(xlabel="step", ylabel=f"validation {TITLES[result.config.score_name]}")
    soften(axes)
    legend = axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    for text in legend.get_texts():
        text.set_color(NEUTRAL)
    return to_svg(figure)


def style(place: int) -> tuple[str, str]:
    """Return colour and dash of the system at a place among those drawn."""
    return COLORS[place % len(COLORS)], _DASHES[place // len(COLORS) % len(_DASHES)]


def _draw_costs(axes: Axes, rows: Sequence[Row], values: dict[str, float | None]) -> None:
    points = []
    for place, row in enumerate(rows):
        cost, score = values[row.system.name], row.score
        if cost is None or score is None:
            continue
        points.append((cost, score))
        color, _ = style(place)
        axes.errorbar(cost, score, yerr=row.spread, fmt="o", color=color, capsize=3, markersize=6)
        axes.annotate(
            row.system.name,
            (cost, score),
            (6, 5),
            textcoords="offset points",
            fontsize=8,
            color=NEUTRAL,
        )
    if points:
        front = pareto_front(points)
        axes.plot(*zip(*front, strict=True), color=NEUTRAL, linewidth=0.8, zorder=0)
    if points:  # room for names, and two ticks or more however near the costs
        costs = [cost for cost, _ in points]
        axes.set_xlim(min(costs) / 2, max(costs) * 3)
    axes.margins(y=0.15)


def pareto_front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return points (cost, score) that no other beats in both, the cheapest first."""
    front: list[tuple[float, float]] = []
    for cost, score in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or score > front[-1][1]:
            front.append((cost, score))
    return front


def _band(row: Row) -> tuple[list[int], list[float], list[float], list[float]]:
    """Return steps that all runs validated at, with least, mean and greatest score there."""
    curves = [dict(run.curve) for run in row.runs]
    steps = sorted(set.intersection(*(set(curve) for curve in curves)))
    columns = [[curve[step] for curve in curves] for step in steps]
    return (
        steps,
        [min(column) for column in columns],
        [sum(column) / len(column) for column in columns],
        [max(column) for column in columns],
    )
