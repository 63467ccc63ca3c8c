"""Figures as CSV: one table a file, undefined values empty, shares and scores 0-1."""

import csv
import io
from collections.abc import Iterable, Sequence

from segnext.report.bootstrap import Interval
from segnext.report.figures import Duel, Report


def write_report_tables(report: Report) -> dict[str, bytes]:
    """Return the CSV files of a report by name."""
    widths = report.boundary_widths_px
    names = [one.name for one in report.classes]
    tables = {
        "classes.csv": _write(
            ["class", "iou", "iou_low", "iou_high", "precision", "recall", "dice"]
            + [f"boundary_iou_{width}px" for width in widths]
            + ["pixels", "images"],
            (
                [
                    one.name,
                    one.iou,
                    *_ends(one.interval),
                    one.precision,
                    one.recall,
                    one.dice,
                    *one.boundary_iou,
                    one.pixels,
                    one.images,
                ]
                for one in report.classes
            ),
        ),
        "sizes.csv": _write(
            ["class", "size", "objects", "found", "recall"],
            (
                [one.label or "all", one.size, one.objects, one.found, one.recall]
                for one in report.sizes
            ),
        ),
        "confusion.csv": _write(
            ["truth", *names],
            ([name, *row] for name, row in zip(names, report.confusion, strict=True)),
        ),
        "pictures.csv": _write(
            [
                "picture",
                "group",
                "miou",
                "pixel_accuracy",
                "pixels",
                "wrong",
                "confidence",
                "seconds",
            ],
            (
                [
                    one.name,
                    one.group,
                    one.miou,
                    one.pixel_accuracy,
                    one.pixels,
                    one.wrong,
                    one.confidence,
                    one.seconds,
                ]
                for one in report.pictures
            ),
        ),
        "suspects.csv": _write(
            [
                "picture",
                "left",
                "top",
                "width",
                "height",
                "pixels",
                "truth",
                "prediction",
                "confidence",
            ],
            (
                [one.picture, *one.box, one.pixels, one.truth, one.prediction, one.confidence]
                for one in report.suspects
            ),
        ),
    }
    if report.calibration is not None:
        tables["reliability.csv"] = _write(
            ["low", "high", "pixels", "confidence", "accuracy"],
            (
                [one.low, one.high, one.pixels, one.confidence, one.accuracy]
                for one in report.calibration.reliability
            ),
        )
        tables["coverage.csv"] = _write(
            ["confidence", "coverage", "accuracy"],
            ([one.confidence, one.coverage, one.accuracy] for one in report.calibration.coverage),
        )
    return tables


def write_duel_tables(duel: Duel) -> dict[str, bytes]:
    """Return the CSV files of a comparison by name."""
    return {
        "classes.csv": _write(
            ["class", "first", "second", "difference", "difference_low", "difference_high"],
            (
                [one.name, one.first, one.second, one.difference, *_ends(one.interval)]
                for one in duel.classes
            ),
        ),
        "pictures.csv": _write(
            ["picture", "group", "first", "second", "difference"],
            ([one.name, one.group, one.first, one.second, one.difference] for one in duel.pictures),
        ),
    }


def _ends(interval: Interval | None) -> tuple[float | None, float | None]:
    return (None, None) if interval is None else (interval.low, interval.high)


def _write(head: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    for row in rows:
        writer.writerow([f"{v:.6f}" if isinstance(v, float) else v for v in row])
    return text.getvalue().encode()
