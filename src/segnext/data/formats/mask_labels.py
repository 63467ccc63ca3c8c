"""Classes of masks that are pictures, as an annotation tool lists them beside the masks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segnext.classes import BACKGROUND, Classes, Color
from segnext.data.masks import FileMasks
from segnext.data.survey import build_reader
from segnext.data.taxonomy import VOID_NAMES, Taxonomy, describe_color
from segnext.errors import DataError, UsageError


@dataclass(frozen=True)
class MaskLabel:
    """A label as the tool lists it.

    Attributes:
        value: Its grey value in masks that hold values.
        name: Of the class.
        color: Its colour in masks that are drawn in colours, if it has one.
    """

    value: int
    name: str
    color: Color | None = None


def build_label_reader(
    labels: Sequence[MaskLabel], masks: Sequence[Path], where: str, *, keep_void: bool = False
) -> tuple[FileMasks, list[str]]:
    """Build the reader of masks whose labels are listed.

    Whether masks hold values or colours is seen from them. A label named background (in any case)
    becomes class 0; the others follow in their order.

    Args:
        labels: All of them.
        masks: Files to look at.
        where: The file that lists the labels, for messages.
        keep_void: Labels named void, ignore or unlabeled are classes too; else their pixels count
            for nothing.

    Returns:
        The reader, and a line for each thing that was decided.

    Raises:
        DataError: Values, names or colours repeat, nothing is left to tell apart, or a mask is
            broken.
    """
    colored = all(label.color for label in labels)
    _check_distinct(labels, where)
    # Colour masks are read by the position of a colour, which need not be a label's value.
    positions = range(len(labels)) if colored else [label.value for label in labels]
    taxonomy, notes = _build(labels, positions, where, keep_void=keep_void)
    reader, seen = build_reader(masks, taxonomy, ())
    values = [label.value for label in labels]
    if reader.kind == "ids" and values != list(positions):
        taxonomy, _ = _build(labels, values, where, keep_void=keep_void)
        reader = FileMasks("ids", taxonomy)
    return reader, [*notes, *seen]


def _check_distinct(labels: Sequence[MaskLabel], where: str) -> None:
    values, colors = set[int](), set[Color]()
    for label in labels:
        if label.value in values:
            msg = f"{where}: the value {label.value} is given twice; values must differ"
            raise DataError(msg)
        if label.color in colors:
            msg = (
                f"{where}: the colour {describe_color(label.color)} is given twice; colours must "
                f"differ"
            )
            raise DataError(msg)
        values.add(label.value)
        colors |= {label.color} if label.color else set()


def _build(
    labels: Sequence[MaskLabel], raw_ids: Sequence[int], where: str, *, keep_void: bool
) -> tuple[Taxonomy, list[str]]:
    void = [label for label in labels if label.name.lower() in VOID_NAMES and not keep_void]
    kept = [label for label in labels if label not in void]
    # Sorting is stable: only the background moves.
    kept.sort(key=lambda label: label.name.lower() != BACKGROUND)
    if len(kept) < 2:
        msg = f"{where}: lists {len(kept)} classes, so there is nothing to tell apart"
        raise DataError(msg)
    train_ids = {label.value: train for train, label in enumerate(kept)}
    table = {raw: train_ids.get(label.value) for raw, label in zip(raw_ids, labels, strict=True)}
    same = table == {train: train for train in range(len(kept))}
    colors = tuple(label.color for label in kept if label.color)
    palette = tuple(label.color for label in labels if label.color)
    colored = len(palette) == len(labels)
    try:
        classes = Classes(
            tuple(label.name for label in kept),
            colors if colored else (),
            () if same else tuple(sorted(table.items())),
        )
    except UsageError as error:
        msg = f"{where}: {error}"
        raise DataError(msg) from None
    notes = [f"pixels labelled {label.name} count for nothing" for label in void]
    return Taxonomy(
        classes,
        has_colors=colored,
        void_colors=tuple(label.color for label in void if label.color),
        palette=palette if colored else (),
        source=Path(where).name,
    ), notes
