"""A report as one HTML page, complete in itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from segnext.classes import Classes
from segnext.html_page import escape
from segnext.report.bootstrap import Interval
from segnext.report.confusion_page import write_behind, write_matrix
from segnext.report.figures import PictureFigures, Report, SizeFigures
from segnext.report.markup import (
    build_evaluation_page,
    name_class,
    paragraph,
    percent,
    write_bar,
    write_facts,
    write_legend,
    write_plot,
    write_row,
    write_strip,
    write_table,
)
from segnext.report.sizes import FOUND, LIMITS, SIZES
from segnext.report.strips import Strip
from segnext.report.suspects import CONFIDENT

# Rows of the table of pictures; the CSV file has all.
MOST_PICTURES = 100


@dataclass(frozen=True)
class Strips:
    """The pictures of a page.

    Attributes:
        pictures: By name, those that are shown as worst, best or random.
        suspects: In the order of the report's.
        behind: By place of the confusion in the report, those of its pictures.
    """

    pictures: Mapping[str, Strip]
    suspects: Sequence[Strip]
    behind: Mapping[int, Sequence[Strip]]


def build_page(report: Report, classes: Classes, strips: Strips, plots: Mapping[str, str]) -> str:
    """Write a report as HTML.

    Args:
        report: What was found.
        classes: Names and colours.
        strips: Pictures to show.
        plots: SVG by name.
    """
    sections = {
        "worst": ("Worst pictures", _write_pictures(report, strips, report.worst, classes)),
        "classes": ("Classes", _write_classes(report, classes)),
        "sizes": ("By size", _write_sizes(report, classes)),
        "confusion": ("Confusion", write_matrix(report, classes)),
        "behind": ("Behind the confusions", write_behind(report, strips.behind)),
        "calibration": ("Confidence", _write_calibration(report, plots)),
        "pictures": ("By picture", _write_scores(report, plots)),
        "best": ("Best pictures", _write_pictures(report, strips, report.best)),
        "random": ("Pictures at random", _write_pictures(report, strips, report.random)),
        "suspects": ("Is the truth right here?", _write_suspects(report, strips)),
        "starts": ("The random start", _write_starts(report)),
        "cost": ("Time and memory", _write_cost(report)),
        "method": ("How it was measured", _write_method(report)),
    }
    path = f"{report.weights} on {report.data}"
    return build_evaluation_page(
        f"{report.model} on {report.split}", path, judge(report), _write_facts(report), sections
    )


def judge(report: Report) -> str:
    """Say in one line how good the model is, how sure that is, and where it is worst."""
    if report.miou is None:
        return f"no pixel of {report.split} counts, so there is no score"
    parts = [
        f"mIoU {percent(report.miou)} % ({_explain(report.interval)})",
        f"{report.split}, {report.images:,} pictures, {report.protocol}",
    ]
    worst = next((one for one in report.classes if one.name == report.worst_class), None)
    if worst is not None:
        parts.append(f"worst class: {worst.name}, {percent(worst.iou)} %")
    return "; ".join(parts)


def _explain(interval: Interval | None) -> str:
    if interval is None:
        return "no interval: it takes two pictures or groups"
    return (
        f"{100 * interval.level:.0f} % interval {percent(interval.low)} to "
        f"{percent(interval.high)}, bootstrap over {interval.units:,} {interval.over}"
    )


def _write_facts(report: Report) -> str:
    middle = len(report.boundary_widths_px) // 2
    width = report.boundary_widths_px[middle]
    facts = [
        (f"{percent(report.miou)} %", "mIoU"),
        (f"{percent(report.pixel_accuracy)} %", "pixel accuracy"),
        (f"{percent(report.mean_accuracy)} %", "mean accuracy"),
        (f"{percent(report.mean_dice)} %", "mean Dice"),
        (f"{percent(report.mean_boundary_iou[middle])} %", f"Boundary IoU at {width} px"),
    ]
    if report.calibration is not None:
        facts.append((f"{percent(report.calibration.ece)} %", "calibration error"))
    absent = ""
    if report.absent:
        absent = paragraph(f"Left out, nowhere in truth or prediction: {', '.join(report.absent)}")
    return write_facts(facts) + absent


def _write_pictures(
    report: Report, strips: Strips, names: Sequence[str], legend: Classes | None = None
) -> str:
    if not names:
        return ""
    figures = {one.name: one for one in report.pictures}
    shown = "".join(
        write_strip(strips.pictures[name], name, _describe(figures[name])) for name in names
    )
    key = write_legend(legend) if legend is not None else ""
    return f'{key}<div class="strips">{shown}</div>'


def _describe(picture: PictureFigures) -> str:
    sure = "" if picture.confidence is None else f", confidence {percent(picture.confidence)} %"
    return f"mIoU {percent(picture.miou)} %, pixels right {percent(picture.pixel_accuracy)} %{sure}"


def _write_classes(report: Report, classes: Classes) -> str:
    rows = []
    for label, one in enumerate(report.classes):
        span = (
            f"{percent(one.interval.low)} - {percent(one.interval.high)}" if one.interval else "-"
        )
        rows.append(
            write_row(
                name_class(classes, label),
                [
                    write_bar(one.iou),
                    span,
                    percent(one.precision),
                    percent(one.recall),
                    percent(one.dice),
                    *(percent(value) for value in one.boundary_iou),
                    percent(one.pixels / report.pixels if report.pixels else None, 2),
                    f"{one.images:,}",
                ],
            )
        )
    means = [
        write_bar(report.miou),
        "",
        "",
        percent(report.mean_accuracy),
        percent(report.mean_dice),
        *(percent(value) for value in report.mean_boundary_iou),
        "",
        f"{report.images:,}",
    ]
    rows.append(write_row("<b>mean</b>", means))
    head = ["class", "IoU [%]", "95 % interval", "precision", "recall", "Dice"]
    head += [f"Boundary IoU<br>{width} px" for width in report.boundary_widths_px]
    return write_table("Scores by class", [*head, "share of pixels", "pictures"], rows)


def _write_sizes(report: Report, classes: Classes) -> str:
    by_label: dict[str | None, list[SizeFigures]] = {}
    for one in report.sizes:
        by_label.setdefault(one.label, []).append(one)
    rows = []
    for number, (label, sizes) in enumerate(by_label.items()):
        name = "<b>all</b>" if label is None else name_class(classes, number - 1)
        cells = [
            cell
            for one in sizes
            for cell in (f"{one.objects:,}", percent(one.found), percent(one.recall))
        ]
        rows.append(write_row(name, cells))
    head = [f"{size}:<br>{what}" for size in SIZES for what in ("objects", "found", "recall")]
    small, large = (round(limit**0.5) for limit in LIMITS)
    said = (
        f"Connected parts of the truth: small below {small}x{small} px, large from {large}x{large} "
        f"px on. Found: at least {FOUND:.0%} of its pixels are right [% of objects]. Recall: right "
        f"ones of all their pixels [%]."
    )
    return paragraph(said) + write_table("Recall by size", ["class", *head], rows)


def _write_calibration(report: Report, plots: Mapping[str, str]) -> str:
    found = report.calibration
    if found is None:
        return ""
    gap = 100 * (found.mean_confidence - found.accuracy)
    nature = "too sure of itself" if gap > 0 else "less sure than it could be"
    said = (
        f"Expected calibration error {percent(found.ece)} %: the model gives its labels "
        f"{percent(found.mean_confidence)} % on average and {percent(found.accuracy)} % are right, "
        f"so it is {nature}, by {abs(gap):.1f} points."
    )
    reliability = write_plot(
        plots["reliability"],
        "Reliability",
        "Bars: share of right pixels by probability; on the dashed line they would agree.",
    )
    coverage = write_plot(
        plots["coverage"],
        "Coverage",
        "How many are right if only the surest pixels are kept and the rest is left to somebody.",
    )
    return paragraph(said) + f'<div class="plots">{reliability}{coverage}</div>'


def _write_scores(report: Report, plots: Mapping[str, str]) -> str:
    scored = [one for one in report.pictures if one.miou is not None]
    ordered = sorted(scored, key=lambda one: one.miou or 0.0)
    if not ordered:
        return ""
    middle = ordered[len(ordered) // 2].miou
    said = (
        f"Of each picture over the classes in its truth or prediction: median {percent(middle)} %, "
        f"worst {percent(ordered[0].miou)} %, best {percent(ordered[-1].miou)} %."
    )
    grouped = any(one.group != one.name for one in ordered)
    rows = []
    for one in ordered[:MOST_PICTURES]:
        cells = [escape(one.group)] if grouped else []
        cells += [write_bar(one.miou), percent(one.pixel_accuracy), f"{one.wrong:,}"]
        cells += [percent(one.confidence), f"{1000 * one.seconds:.0f}"]
        rows.append(write_row(escape(one.name), cells))
    head = ["picture", *(["group"] if grouped else []), "mIoU [%]", "pixels right [%]"]
    head += ["wrong pixels", "confidence [%]", "ms"]
    shown = (
        f"The {len(rows)} worst of {len(report.pictures):,}; all are in pictures.csv."
        if len(rows) < len(report.pictures)
        else "The worst first."
    )
    plot = write_plot(plots["pictures"], "mIoU of the pictures", "How many have which score.")
    table = write_table("Scores by picture", head, rows)
    return paragraph(said) + plot + paragraph(shown) + f'<div class="tall">{table}</div>'


def _write_suspects(report: Report, strips: Strips) -> str:
    if not report.suspects:
        return ""
    said = (
        f"The largest regions where the model disagrees with the truth and is at least "
        f"{CONFIDENT:.0%} sure. Either one may be wrong."
    )
    shown = "".join(
        write_strip(
            strip,
            one.picture,
            f"truth {one.truth}, model {one.prediction}, {one.pixels:,} px, confidence "
            f"{percent(one.confidence)} %",
        )
        for one, strip in zip(report.suspects, strips.suspects, strict=True)
    )
    return paragraph(said) + f'<div class="strips">{shown}</div>'


def _write_starts(report: Report) -> str:
    starts = report.starts
    if starts is None:
        return ""
    low, high = min(starts.drawn), max(starts.drawn)
    spread = "" if starts.spread is None else f", standard deviation {100 * starts.spread:.3f}"
    return paragraph(
        f"With the first bases of the decomposition drawn anew for each call of the network, as "
        f"the authors' code does, {len(starts.drawn)} seeds give mIoU {percent(low, 3)} to "
        f"{percent(high, 3)} %, mean {percent(starts.mean, 3)}{spread}. The start that is stored "
        f"with the weights gives {percent(starts.fixed, 3)} %, every time."
    )


def _write_cost(report: Report) -> str:
    cost = report.cost
    facts = [
        (f"{cost.median_ms:.0f} ms", "median, picture to mask"),
        (f"{cost.slowest_ms:.0f} ms", "slowest picture"),
        (f"{cost.seconds:.0f} s", "whole evaluation"),
        (f"{cost.peak_memory_mb:,.0f} MB", "peak memory of the process"),
    ]
    if cost.peak_device_memory_mb is not None:
        facts.append((f"{cost.peak_device_memory_mb:,.0f} MB", "peak memory on the device"))
    return write_facts(facts) + paragraph(f"{cost.backend} on {cost.device}.")


def _write_method(report: Report) -> str:
    over = report.interval.over if report.interval is not None else "images"
    lines = [
        f"Scores come from one confusion matrix over {report.pixels:,} pixels; ignored ones count "
        f"nowhere. mIoU is the mean over classes in truth or prediction.",
        f"Protocol: {report.protocol}.",
        f"Intervals: percentiles of the score over {over} drawn with replacement."
        + (
            " Pictures count as independent; where they are not, as frames of one video, --group "
            "draws them together."
            if over == "images"
            else ""
        ),
        "Boundary IoU counts pixels within a width of a class's border; the edges of the picture "
        "and of ignored regions are no borders.",
        "Strips are nearest-neighbour samples of the full masks.",
        "The same figures are beside this page: in report.json (report.schema.json says what is "
        "what) and in CSV files (datapackage.json does).",
    ]
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<ul class="files">{items}</ul>'
