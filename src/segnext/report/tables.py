"""Figures as CSV, one table a file, and what their columns are as a Data Package.

A table is declared once: file and description follow from the same columns, so they cannot differ.
The description is `datapackage.json` of https://datapackage.org, version 2, which programs that
check or load tables read. Undefined values are empty.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from segnext.report.bootstrap import Interval
from segnext.report.confidences import Calibration
from segnext.report.figures import Duel, Report
from segnext.report.sizes import SIZES

DESCRIPTION = "datapackage.json"
_PROFILES = "https://datapackage.org/profiles/2.0"


@dataclass(frozen=True)
class _Column:
    """What a table says of each of its rows.

    Attributes:
        name: In the head of the table.
        kind: As Table Schema calls it.
        about: What it is, with its unit.
        value: Of a row; `None` where it is undefined.
        least: The smallest value there can be.
        most: The largest.
        among: All there can be.
    """

    name: str
    kind: Literal["string", "integer", "number"]
    about: str
    value: Callable[[Any], object]
    least: int | None = None
    most: int | None = None
    among: tuple[str, ...] | None = None

    def describe(self) -> dict[str, Any]:
        limits = {"minimum": self.least, "maximum": self.most, "enum": self.among}
        constraints = {name: limit for name, limit in limits.items() if limit is not None}
        field = {"name": self.name, "type": self.kind, "description": self.about}
        return field | ({"constraints": constraints} if constraints else {})


@dataclass(frozen=True)
class _Table:
    name: str
    about: str
    columns: Sequence[_Column]
    rows: Iterable[Any]

    @property
    def path(self) -> str:
        return f"{self.name}.csv"

    def write(self) -> bytes:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([column.name for column in self.columns])
        for row in self.rows:
            values = [column.value(row) for column in self.columns]
            writer.writerow([f"{v:.6f}" if isinstance(v, float) else v for v in values])
        return text.getvalue().encode()

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "path": self.path,
            "type": "table",
            "format": "csv",
            "encoding": "utf-8",
            "description": self.about,
            "schema": {
                "$schema": f"{_PROFILES}/tableschema.json",
                "fields": [column.describe() for column in self.columns],
                "missingValues": [""],
            },
        }


def write_report_tables(report: Report) -> dict[str, bytes]:
    """Return the CSV files of a report by name, and their description."""
    tables = [
        _tell_classes(report),
        _tell_sizes(report),
        _tell_confusion(report),
        _tell_pictures(report),
        _tell_suspects(report),
    ]
    if report.calibration is not None:
        tables += [_tell_reliability(report.calibration), _tell_coverage(report.calibration)]
    return _write("segnext-report", "What a score is made of.", tables)


def write_duel_tables(duel: Duel) -> dict[str, bytes]:
    """Return the CSV files of a comparison by name, and their description."""
    classes = [
        _text("class", "Name.", lambda one: one.name),
        *_scores_of_two("IoU"),
        _difference("difference_low", "Low end of its 95 % interval.", _low),
        _difference("difference_high", "High end of its 95 % interval.", _high),
    ]
    pictures = [*_name_picture(), *_scores_of_two("mIoU")]
    tables = [
        _Table("classes", "Classes, in the order of train ids.", classes, duel.classes),
        _Table("pictures", "Pictures, in the order of the split.", pictures, duel.pictures),
    ]
    return _write("segnext-comparison", "Two models on the same pictures.", tables)


def _tell_classes(report: Report) -> _Table:
    columns = [
        _text("class", "Name.", lambda one: one.name),
        _share("iou", "TP / (TP + FP + FN).", lambda one: one.iou),
        _share("iou_low", "Low end of its 95 % interval.", _low),
        _share("iou_high", "High end of its 95 % interval.", _high),
        _share("precision", "TP / (TP + FP).", lambda one: one.precision),
        _share("recall", "TP / (TP + FN).", lambda one: one.recall),
        _share("dice", "2 TP / (2 TP + FP + FN).", lambda one: one.dice),
        *(_boundary(place, width) for place, width in enumerate(report.boundary_widths_px)),
        _count("pixels", "Of the truth.", lambda one: one.pixels),
        _count("images", "Pictures whose truth holds it.", lambda one: one.images),
    ]
    return _Table("classes", "Classes, in the order of train ids.", columns, report.classes)


def _boundary(place: int, width: int) -> _Column:
    about = f"Boundary IoU, within {width} px of borders."
    return _share(f"boundary_iou_{width}px", about, lambda one: one.boundary_iou[place])


def _tell_sizes(report: Report) -> _Table:
    columns = [
        _text("class", "Name; all for all of them.", lambda one: one.label or "all"),
        _Column("size", "string", "By area.", lambda one: one.size, among=SIZES),
        _count("objects", "Connected parts of the truth.", lambda one: one.objects),
        _share("found", "How many are at least half right.", lambda one: one.found),
        _share("recall", "How many of their pixels are right.", lambda one: one.recall),
    ]
    return _Table("sizes", "Connected parts of the truth by size.", columns, report.sizes)


def _tell_confusion(report: Report) -> _Table:
    names = [one.name for one in report.classes]
    truth = "truth"
    while truth in names:
        truth += "_"
    columns = [
        _text(truth, "Class in the masks.", lambda row: row[0]),
        *(_confused(place, name) for place, name in enumerate(names)),
    ]
    rows = zip(names, report.confusion, strict=True)
    return _Table("confusion", "Pixels by truth (rows) and prediction (columns).", columns, rows)


def _confused(place: int, name: str) -> _Column:
    return _count(name, f"Pixels taken for {name}.", lambda row: row[1][place])


def _tell_pictures(report: Report) -> _Table:
    columns = [
        *_name_picture(),
        _share("miou", "Over the labels in truth or prediction.", lambda one: one.miou),
        _share("pixel_accuracy", "How many pixels are right.", lambda one: one.pixel_accuracy),
        _count("pixels", "Counted ones.", lambda one: one.pixels),
        _count("wrong", "Counted pixels that are wrong.", lambda one: one.wrong),
        _share("confidence", "Mean probability of its labels.", lambda one: one.confidence),
        _Column("seconds", "number", "From picture to mask [s].", lambda one: one.seconds, least=0),
    ]
    return _Table("pictures", "Pictures, in the order of the split.", columns, report.pictures)


def _tell_suspects(report: Report) -> _Table:
    sides = ("left", "top", "width", "height")
    columns = [
        _text("picture", "Below the image folder, without suffix.", lambda one: one.picture),
        *(_side(place, side) for place, side in enumerate(sides)),
        _count("pixels", "Of the region.", lambda one: one.pixels),
        _text("truth", "Class in the mask.", lambda one: one.truth),
        _text("prediction", "Class that the model sees.", lambda one: one.prediction),
        _share("confidence", "Mean probability of the prediction.", lambda one: one.confidence),
    ]
    about = "Regions where a confident model disagrees with the truth, the largest first."
    return _Table("suspects", about, columns, report.suspects)


def _tell_reliability(calibration: Calibration) -> _Table:
    columns = [
        _share("low", "Confidence that the bin begins at.", lambda one: one.low),
        _share("high", "Confidence that it ends at.", lambda one: one.high),
        _count("pixels", "Counted pixels in it.", lambda one: one.pixels),
        _share("confidence", "Their mean.", lambda one: one.confidence),
        _share("accuracy", "How many of them are right.", lambda one: one.accuracy),
    ]
    about = "Pixels by the confidence of their labels."
    return _Table("reliability", about, columns, calibration.reliability)


def _tell_coverage(calibration: Calibration) -> _Table:
    columns = [
        _share("confidence", "Least that is kept.", lambda one: one.confidence),
        _share("coverage", "How many pixels are kept.", lambda one: one.coverage),
        _share("accuracy", "How many of those are right.", lambda one: one.accuracy),
    ]
    about = "What is right if only the surest pixels are kept."
    return _Table("coverage", about, columns, calibration.coverage)


def _side(place: int, side: str) -> _Column:
    return _count(side, f"Of the box around the region, {side} [px].", lambda one: one.box[place])


def _name_picture() -> list[_Column]:
    return [
        _text("picture", "Below the image folder, without suffix.", lambda one: one.name),
        _text("group", "What it belongs to; its name without a rule.", lambda one: one.group),
    ]


def _scores_of_two(score: str) -> list[_Column]:
    return [
        _share("first", f"{score} by the first model.", lambda one: one.first),
        _share("second", f"{score} by the second model.", lambda one: one.second),
        _difference("difference", "Second less first.", lambda one: one.difference),
    ]


def _text(name: str, about: str, value: Callable[[Any], object]) -> _Column:
    return _Column(name, "string", about, value)


def _count(name: str, about: str, value: Callable[[Any], object]) -> _Column:
    return _Column(name, "integer", about, value, least=0)


def _share(name: str, about: str, value: Callable[[Any], object]) -> _Column:
    return _Column(name, "number", about, value, least=0, most=1)


def _difference(name: str, about: str, value: Callable[[Any], object]) -> _Column:
    return _Column(name, "number", about, value, least=-1, most=1)


def _low(one: Any) -> float | None:
    interval: Interval | None = one.interval
    return None if interval is None else interval.low


def _high(one: Any) -> float | None:
    interval: Interval | None = one.interval
    return None if interval is None else interval.high


def _write(name: str, about: str, tables: Sequence[_Table]) -> dict[str, bytes]:
    package = {
        "$schema": f"{_PROFILES}/datapackage.json",
        "name": name,
        "description": about,
        "resources": [table.describe() for table in tables],
    }
    described = {DESCRIPTION: json.dumps(package, indent=1).encode()}
    return {table.path: table.write() for table in tables} | described
