"""Read the label maps of known data sets from the tables in `class_tables`.

One line a raw id, with the columns `raw,train,submission,name,red,green,blue`:

    7,0,7,road,128,64,128        mask value 7 becomes class 0, and 7 again for the test server
    6,,,ground,81,0,81           mask value 6 counts for nothing

Several raw ids may become one class, which takes name, colour and submission id of its first line.
"""

import csv
import functools
import io
from dataclasses import dataclass, replace
from importlib import resources

from segnext.classes import IGNORE_COLOR, Classes, Color


@dataclass(frozen=True)
class LabelLine:
    """What a label map says of one raw id.

    Attributes:
        raw: Value in the masks.
        train: Train id; `None` where it counts for nothing.
        submission: Id for the test server; `None` where none is known.
        name: As the publisher calls it.
        color: RGB, as the publisher draws it.
    """

    raw: int
    train: int | None
    submission: int | None
    name: str
    color: Color


@functools.cache
def read_label_lines(name: str) -> tuple[LabelLine, ...]:
    """Read every line of the table `class_tables/<name>.csv`, ignored ids among them."""
    table = resources.files("segnext.data.datasets") / "class_tables" / f"{name}.csv"
    rows = csv.DictReader(io.StringIO(table.read_text(encoding="utf-8")))
    return tuple(_read_line(row) for row in rows)


@functools.cache
def read_label_map(name: str) -> Classes:
    """Read the table `class_tables/<name>.csv` as names, colours and label map."""
    lines = read_label_lines(name)
    first: dict[int, LabelLine] = {}
    for line in lines:
        if line.train is not None:
            first.setdefault(line.train, line)
    classes = [first[train] for train in range(len(first))]
    submission = tuple(line.submission for line in classes if line.submission is not None)
    return Classes(
        tuple(line.name for line in classes),
        tuple(line.color for line in classes),
        tuple(sorted((line.raw, line.train) for line in lines)),
        submission,
    )


def stored_as_train_ids(classes: Classes, first: int = 0) -> Classes:
    """Return the taxonomy for masks that a converter has turned into train ids already.

    Args:
        classes: Of the raw ids.
        first: Mask value of the first class; values below it count for nothing.
    """
    table: dict[int, int | None] = dict.fromkeys(range(first))
    table |= {train + first: train for train in range(classes.num_labels)}
    return replace(classes, raw_to_train=tuple(table.items()) if first else ())


def _read_line(row: dict[str, str]) -> LabelLine:
    return LabelLine(
        raw=int(row["raw"]),
        train=_number(row["train"]),
        submission=_number(row["submission"]),
        name=row["name"],
        color=(int(row["red"]), int(row["green"]), int(row["blue"]))
        if row["red"]
        else IGNORE_COLOR,
    )


def _number(text: str) -> int | None:
    return int(text) if text else None
