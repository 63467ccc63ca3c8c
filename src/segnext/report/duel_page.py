"""A comparison of two models as one HTML page, complete in itself."""

from collections.abc import Mapping

from segnext.classes import Classes
from segnext.html_page import escape
from segnext.report.duel import is_win, judge, most_changed
from segnext.report.figures import Duel
from segnext.report.markup import (
    build_evaluation_page,
    name_class,
    paragraph,
    percent,
    write_bar,
    write_facts,
    write_legend,
    write_row,
    write_strip,
    write_table,
)
from segnext.report.strips import Strip

MOST_CHANGED = 8


def build_duel_page(duel: Duel, classes: Classes, strips: Mapping[int, Strip]) -> str:
    """Write a comparison as HTML.

    Args:
        duel: What was found.
        classes: Names and colours.
        strips: By number of the picture, those that changed most.
    """
    worse, better = most_changed(duel, MOST_CHANGED)
    sections = {
        "classes": ("Classes", _write_classes(duel, classes)),
        "better": ("Pictures that gain most", _write_pictures(duel, strips, better, classes)),
        "worse": ("Pictures that lose most", _write_pictures(duel, strips, worse, classes)),
        "method": ("How it was measured", _write_method(duel)),
    }
    wins = [is_win(one) for one in duel.classes]
    facts = [
        (f"{percent(duel.first_miou)} %", "mIoU of the first"),
        (f"{percent(duel.second_miou)} %", "mIoU of the second"),
        (_points(duel.difference), "points, second less first"),
        (
            f"{wins.count(True)} : {wins.count(False)}",
            "classes the second won and lost, beyond chance",
        ),
        (f"{percent(duel.share_better, 0)} %", "of the draws have the second in front"),
    ]
    path = f"first: {duel.first}, second: {duel.second}, on {duel.data}, {duel.split}"
    return build_evaluation_page("Two models", path, judge(duel), write_facts(facts), sections)


def _points(difference: float | None) -> str:
    return "-" if difference is None else f"{100 * difference:+.1f}"


def _write_classes(duel: Duel, classes: Classes) -> str:
    rows = []
    for label, one in enumerate(duel.classes):
        win = is_win(one)
        kind = {True: "win", False: "loss", None: "soft"}[win]
        word = {True: "won", False: "lost", None: "may be chance"}[win]
        span = (
            f"{_points(one.interval.low)} to {_points(one.interval.high)}" if one.interval else "-"
        )
        cells = [
            write_bar(one.first),
            write_bar(one.second),
            f'<td class="{kind}">{_points(one.difference)}</td>',
            span,
            f'<td class="{kind}">{word}</td>',
        ]
        rows.append(write_row(name_class(classes, label), cells))
    said = "IoU of both [%], and what the second has more [points]; won and lost are the second's."
    head = ["class", "first", "second", "difference", "95 % interval", "the second"]
    table = write_table("IoU by class", head, rows)
    return f'{paragraph(said)}<div class="duel">{table}</div>'


def _write_pictures(
    duel: Duel, strips: Mapping[int, Strip], numbers: list[int], classes: Classes
) -> str:
    if not numbers:
        return ""
    said = "In the last picture, green: only the second is right; orange: only the first."
    shown = "".join(
        write_strip(
            strips[number],
            duel.pictures[number].name,
            f"mIoU {percent(duel.pictures[number].first)} to "
            f"{percent(duel.pictures[number].second)} %, "
            f"{_points(duel.pictures[number].difference)}",
        )
        for number in numbers
    )
    return paragraph(said) + write_legend(classes) + f'<div class="strips">{shown}</div>'


def _write_method(duel: Duel) -> str:
    lines = [
        f"{duel.images:,} pictures, each predicted by both models.",
        f"First: {duel.first_protocol}. Second: {duel.second_protocol}.",
        "Intervals: pictures or groups are drawn with replacement, the same for both models, and "
        "the difference of their scores is taken of each draw. No correction is made for looking "
        "at many classes: of twenty that do not differ, one looks won or lost.",
        "The same figures are in comparison.json (comparison.schema.json says what is what), and "
        "in classes.csv and pictures.csv (datapackage.json does).",
    ]
    return '<ul class="files">' + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"
