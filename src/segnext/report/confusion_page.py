"""The confusion matrix of a report's page, and the pictures behind its cells."""

from collections.abc import Mapping, Sequence

import numpy as np

from segnext.classes import Classes
from segnext.html_page import escape
from segnext.report.figures import Confusion, Report
from segnext.report.markup import (
    name_class,
    paragraph,
    write_row,
    write_strip,
    write_table,
)
from segnext.report.strips import Strip

# Rows and columns of the matrix, and confusions with pictures; more than that nobody reads.
MOST_LABELS = 25
MOST_SHOWN = 20
_PICK = (
    '<div class="pick" role="radiogroup" aria-label="Numbers to show">'
    '<label><input type="radio" name="m" id="m-rows" checked>% of the truth</label>'
    '<label><input type="radio" name="m" id="m-columns">% of the prediction</label>'
    '<label><input type="radio" name="m" id="m-counts">pixels</label></div>'
)


def write_matrix(report: Report, classes: Classes) -> str:
    """Return the matrix, whose cells lead to the pictures behind them."""
    counts = np.array(report.confusion)
    shown = _choose_labels(counts)
    anchors = {(one.truth, one.prediction): place for place, one in enumerate(report.confusions)}
    names = classes.label_names
    true, predicted = np.maximum(counts.sum(1), 1), np.maximum(counts.sum(0), 1)
    rows = []
    for row in shown:
        cells = []
        for column in shown:
            number = int(counts[row, column])
            by_row, by_column = number / true[row], number / predicted[column]
            said = (
                f'<i class="r">{_share(by_row)}</i><i class="k">{_share(by_column)}</i>'
                f'<i class="n">{number:,}</i>'
            )
            place = anchors.get((names[row], names[column]))
            content = f"<span>{said}</span>" if place is None else f'<a href="#c{place}">{said}</a>'
            kind = ' class="right"' if row == column else ""
            cells.append(f'<td{kind} style="--r:{by_row:.3f};--k:{by_column:.3f}">{content}</td>')
        rows.append(write_row(name_class(classes, row), cells))
    head = ["truth", *(escape(names[label]) for label in shown)]
    left = len(counts) - len(shown)
    cut = (
        f" The {len(shown)} classes with most errors; the {left} others are in confusion.csv."
        if left
        else ""
    )
    said = f"Rows are the truth, columns the prediction. A cell leads to its pictures.{cut}"
    table = write_table("Confusion matrix", head, rows)
    return f'{paragraph(said)}{_PICK}<div class="matrix">{table}</div>'


def write_behind(report: Report, strips: Mapping[int, Sequence[Strip]]) -> str:
    """Return the largest confusions with their pictures, and the others with the names of theirs.

    Args:
        report: With its confusions.
        strips: By place of the confusion, in the order of its pictures.
    """
    if not report.confusions:
        return ""
    parts = [paragraph("The largest confusions; the error picture marks nothing else.")]
    for place, one in enumerate(report.confusions[:MOST_SHOWN]):
        pictures = "".join(
            write_strip(strip, behind.picture, f"{behind.pixels:,} px")
            for behind, strip in zip(one.pictures, strips[place], strict=True)
        )
        parts.append(
            f'<h3 id="c{place}">{escape(_title(one))} <span class="soft">{one.pixels:,} px'
            f'</span></h3><div class="strips">{pictures}</div>'
        )
    others = [
        write_row(
            escape(_title(one)),
            [
                f"{one.pixels:,}",
                "<br>".join(f"{escape(b.picture)} ({b.pixels:,})" for b in one.pictures),
            ],
            anchor=f"c{place}",
        )
        for place, one in enumerate(report.confusions)
        if place >= MOST_SHOWN
    ]
    if others:
        head = ["truth, taken for", "pixels", "most of them in"]
        table = write_table("Smaller confusions", head, others)
        parts.append(f'<h3>Smaller ones</h3><div class="tall">{table}</div>')
    return "".join(parts)


def _title(confusion: Confusion) -> str:
    return f"{confusion.truth}, taken for {confusion.prediction}"


def _choose_labels(counts: "np.ndarray[tuple[int, int], np.dtype[np.int64]]") -> list[int]:
    """Return the labels of the matrix: all, or those with most wrong pixels, in their order."""
    if len(counts) <= MOST_LABELS:
        return list(range(len(counts)))
    wrong = counts.sum(0) + counts.sum(1) - 2 * counts.diagonal()
    return sorted(int(label) for label in np.argsort(-wrong, kind="stable")[:MOST_LABELS])


def _share(share: float) -> str:
    return f"{100 * share:.1f}" if share >= 0.0005 else "0" if not share else "&lt;0.1"
