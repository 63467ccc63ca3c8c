"""Plots as SVG that pass on light and on dark paper, the same bytes for the same figures."""

import io

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's colours, without their yellow and black, which vanish on white and on dark.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#888888")
NEUTRAL = "#80868d"  # legible on light and on dark paper


def soften(axes: Axes) -> None:
    """Let lines and text of a plot pass on any paper, and leave it two of its four sides."""
    axes.figure.patch.set_alpha(0.0)
    axes.patch.set_alpha(0.0)
    axes.grid(alpha=0.25, which="major")
    axes.tick_params(colors=NEUTRAL, which="both", labelsize=8)
    axes.xaxis.label.set_color(NEUTRAL)
    axes.yaxis.label.set_color(NEUTRAL)
    axes.title.set_color(NEUTRAL)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(NEUTRAL)


def to_svg(figure: Figure) -> str:
    """Return a figure as an `<svg>` element."""
    drawn = io.StringIO()
    # Text stays text; ids and date would differ from one drawing of the same figures to the next.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "segnext"}):
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    text = drawn.getvalue()
    return text[text.index("<svg") :]
