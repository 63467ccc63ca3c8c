"""Confusions made visible: the matrix, and the photos behind its worst cells."""

import io
import textwrap
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from segnext.classification.evaluation import ClassReport
from segnext.classification.photos import read_photo
from segnext.storage import write_atomically

NAMED_CLASSES = 60  # more names than these cannot be read beside the matrix
WORST, EXAMPLES = 8, 6
_NAME_WIDTH = 22


def draw_confusion_matrix(report: ClassReport, path: Path) -> None:
    """Draw how often each class was taken for which, in percent of its photos."""
    counts = report.scores.confusion.astype(float)
    shares = 100 * counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    classes = len(counts)
    side = min(16.0, max(5.0, 0.36 * classes + 3.0))
    figure = Figure(figsize=(side + 1.0, side), layout="constrained")
    axes = figure.subplots()
    shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    figure.colorbar(shown, ax=axes, label="share of the true class [%]", shrink=0.8)
    axes.set(xlabel="predicted", ylabel="true", title=f"{report.split}: {report.scores.describe()}")
    if classes <= NAMED_CLASSES:
        names = [_short(name) for name in report.spec.names]
        axes.set_xticks(range(classes), names, rotation=90, fontsize=7)
        axes.set_yticks(range(classes), names, fontsize=7)
    if classes <= NAMED_CLASSES // 2:
        for row, column in zip(*np.nonzero(counts), strict=True):
            ink = "white" if shares[row, column] > 55 else "#26282c"
            text = f"{shares[row, column]:.0f}"
            axes.text(column, row, text, ha="center", va="center", fontsize=6, color=ink)
    _save(figure, path)


def draw_worst_confusions(report: ClassReport, path: Path) -> bool:
    """Draw photos of the most frequent confusions, the surest mistakes first.

    Returns:
        Whether there was any mistake to draw.
    """
    worst = report.confusions()[:WORST]
    if not worst:
        return False
    figure = Figure(figsize=(1.5 * EXAMPLES + 2.6, 1.7 * len(worst)), layout="constrained")
    grid = figure.subplots(
        len(worst), EXAMPLES + 1, squeeze=False, width_ratios=(1.7, *[1] * EXAMPLES)
    )
    names = report.spec.names
    for row, confusion in zip(grid, worst, strict=True):
        for axes in row:
            axes.axis("off")
        true, predicted = (
            "\n".join(textwrap.wrap(names[index], _NAME_WIDTH, max_lines=2))
            for index in (confusion.true, confusion.predicted)
        )
        told = f"true: {true}\n\npredicted: {predicted}\n\n{confusion.count} photos"
        row[0].text(0.0, 0.5, told, va="center", fontsize=8, transform=row[0].transAxes)
        for axes, file in zip(row[1:], confusion.files, strict=False):
            axes.imshow(read_photo(file))
            axes.set_title(_short(file.name), fontsize=5)
    _save(figure, path)
    return True


def _short(name: str) -> str:
    return textwrap.shorten(name, _NAME_WIDTH, placeholder="…") or name[:_NAME_WIDTH]


def _save(figure: Figure, path: Path) -> None:
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=120)
    write_atomically(path, drawn.getvalue())
