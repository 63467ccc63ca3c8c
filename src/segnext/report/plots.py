"""Reliability, coverage, borders and the spread over pictures, as SVG."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from segnext.report.confidences import Calibration
from segnext.report.figures import Report
from segnext.svg import COLORS, NEUTRAL, soften, to_svg


def draw_plots(report: Report) -> dict[str, str]:
    """Draw everything that there are figures for.

    Returns:
        SVG elements by name.
    """
    plots = {"pictures": _draw_pictures(report)}
    if report.calibration is not None:
        plots["reliability"] = _draw_reliability(report.calibration)
        plots["coverage"] = _draw_coverage(report.calibration)
    return plots


def _draw_pictures(report: Report) -> str:
    figure, axes = _start(6.4, 2.6)
    scores = [100 * one.miou for one in report.pictures if one.miou is not None]
    axes.hist(scores, bins=np.linspace(0, 100, 26).tolist(), color=COLORS[0])
    axes.set(xlabel="mIoU of the picture [%]", ylabel="pictures", xlim=(0, 100))
    soften(axes)
    return to_svg(figure)


def _draw_reliability(calibration: Calibration) -> str:
    figure, axes = _start(4.4, 3.6)
    bins = [one for one in calibration.reliability if one.accuracy is not None]
    axes.plot((0, 100), (0, 100), color=NEUTRAL, linewidth=0.8, linestyle="--")
    width = 100 * (bins[0].high - bins[0].low)
    axes.bar(
        [100 * one.low for one in bins],
        [100 * (one.accuracy or 0) for one in bins],
        width=0.92 * width,
        align="edge",
        color=COLORS[0],
    )
    axes.plot(
        [100 * (one.confidence or 0) for one in bins],
        [100 * (one.accuracy or 0) for one in bins],
        "o",
        color=COLORS[1],
        markersize=4,
    )
    axes.set(
        xlabel="probability of the label [%]",
        ylabel="pixels that are right [%]",
        xlim=(0, 100),
        ylim=(0, 100),
    )
    soften(axes)
    return to_svg(figure)


def _draw_coverage(calibration: Calibration) -> str:
    figure, axes = _start(4.4, 3.6)
    points = calibration.coverage
    axes.plot(
        [100 * one.coverage for one in points],
        [100 * one.accuracy for one in points],
        color=COLORS[2],
        linewidth=1.8,
    )
    axes.set(xlabel="pixels kept, the surest first [%]", ylabel="of these right [%]", xlim=(0, 100))
    soften(axes)
    return to_svg(figure)


def _start(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()
