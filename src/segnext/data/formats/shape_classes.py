"""The classes of labelled shapes, and what pixels mean that no shape covers."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from segnext.classes import BACKGROUND, IGNORE_COLOR, Classes, Color
from segnext.errors import DataError, UsageError, describe_unknown

UNLABELLED = ("background", "ignore")


@dataclass(frozen=True)
class ShapeClasses:
    """Classes of shapes, with what lies around them.

    Attributes:
        classes: Names, colours and label map; declares every raw id, that of `background` too.
        background: Raw id of pixels that no shape covers.
        by_name: Raw id by the name that the annotations use.
    """

    classes: Classes
    background: int
    by_name: Mapping[str, int]

    def raw_id(self, name: str, where: str) -> int:
        """Return the raw id of a label.

        Raises:
            DataError: No such label was declared.
        """
        if name not in self.by_name:
            msg = f"{where}: {describe_unknown('label', name, self.by_name)}"
            raise DataError(msg)
        return self.by_name[name]


def number_labels(names: Iterable[str]) -> dict[int, str]:
    """Number labels that have no ids: background is 0, the others count from 1 in their order."""
    ordered = list(names)
    background = next((name for name in ordered if name.lower() == BACKGROUND), None)
    numbered = {} if background is None else {0: background}
    return numbered | dict(enumerate((name for name in ordered if name != background), 1))


def declare_shape_classes(
    names: Mapping[int, str],
    where: str,
    *,
    unlabelled: str = "background",
    colors: Mapping[str, Color] | None = None,
    void: Collection[int] = (),
) -> ShapeClasses:
    """Turn the labels of an annotation file into classes.

    A label named background (in any case) is what no shape covers, and becomes class 0. Without
    one, class 0 is a `background` put in front of the others, or, with `unlabelled="ignore"`,
    there is none and such pixels count for nothing.

    Args:
        names: Label by raw id, in the order of the train ids.
        where: The file that declares them, for messages.
        unlabelled: What pixels are that no shape covers: `background` or `ignore`.
        colors: RGB by label; made up where one is missing.
        void: Raw ids of shapes whose pixels count for nothing; none of `names`.

    Raises:
        UsageError: `unlabelled` is something else.
        DataError: Names repeat, a raw id is out of range, or nothing is left to tell apart.
    """
    if unlabelled not in UNLABELLED:
        msg = f"unlabelled: {unlabelled!r} is not one of {', '.join(UNLABELLED)}"
        raise UsageError(msg)
    strange = next((name for name in names.values() if not name.strip().isprintable()), None)
    if strange is not None or "" in {name.strip() for name in names.values()}:
        msg = f"{where}: {strange or ''!r} is no name for a class; use printable characters"
        raise DataError(msg)
    declared = next((raw for raw, name in names.items() if name.lower() == BACKGROUND), None)
    taken = {*names, *void}
    free = 0 if 0 not in taken else max(taken) + 1
    around = free if declared is None or unlabelled == "ignore" else declared
    ordered = dict(names)
    if declared is not None:
        ordered = {declared: names[declared], **ordered}
    elif unlabelled == "background":
        ordered = {free: BACKGROUND, **ordered}
    table: dict[int, int | None] = dict.fromkeys(void)
    table |= {raw: train for train, raw in enumerate(ordered)}
    if unlabelled == "ignore":
        table[around] = None
    if len(ordered) < 2:
        msg = (
            f"{where}: with unlabelled: {unlabelled} there are {len(ordered)} classes, so nothing "
            f"to tell apart; label more, or use unlabelled: background"
        )
        raise DataError(msg)
    try:
        classes = Classes(
            tuple(ordered.values()),
            _choose_colors(tuple(ordered.values()), colors or {}),
            tuple(sorted(table.items())),
        )
    except UsageError as error:
        msg = f"{where}: {error}"
        raise DataError(msg) from None
    return ShapeClasses(classes, around, {name: raw for raw, name in names.items()})


def _choose_colors(names: tuple[str, ...], colors: Mapping[str, Color]) -> tuple[Color, ...]:
    """Return the declared colours if every class has one of its own; else none."""
    known = {BACKGROUND: IGNORE_COLOR, **colors}
    chosen = tuple(known[name] for name in names if name in known)
    return chosen if len(set(chosen)) == len(names) else ()
