"""The classes of a data set: declared in a file, or found in its masks."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from segnext.classes import Classes, Color
from segnext.data.containers.paths import read_text
from segnext.errors import DataError, UsageError

VOID_NAMES = frozenset({"void", "ignore", "ignored", "unlabeled", "unlabelled"})

_DECIMAL = re.compile(r"(.*?)[\s,]+(\d+)[\s,]+(\d+)[\s,]+(\d+)")
_HEX = re.compile(r"(.*?)[\s,]+#([0-9a-fA-F]{6})")


@dataclass(frozen=True)
class Taxonomy:
    """Classes with what colour masks need besides.

    Attributes:
        classes: Names, colours and raw ids.
        has_colors: The colours were declared, so masks may be drawn in them.
        void_colors: RGB colours of pixels that count for nothing.
        palette: RGB colour by raw id, where the label map gives classes other numbers; empty
            where the position of a class is its raw id.
        source: The file that declares it or could, for messages.
    """

    classes: Classes
    has_colors: bool = False
    void_colors: tuple[Color, ...] = ()
    palette: tuple[Color, ...] = ()
    source: str = "classes.txt"


def read_classes(path: Path) -> Taxonomy:
    """Read a `classes.txt`: one class a line, in the order of its ids.

    A line is `name`, `name r g b`, `name,r,g,b` or `name #rrggbb`. Blank lines and lines that
    start with `#` are skipped. With colours, a line named void, ignore or unlabeled declares a
    colour of pixels that count for nothing, not a class.

    Raises:
        DataError: A line is malformed; names its number.
    """
    entries: list[tuple[str, Color | None]] = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        entry = _parse_line(line.strip(), f"{path}, line {number}")
        if entries and (entry[1] is None) != (entries[0][1] is None):
            msg = (
                f"{path}, line {number}: {line.strip()!r} has {'no' if entry[1] is None else 'a'} "
                f"colour, unlike the lines before; give every class a colour or none"
            )
            raise DataError(msg)
        entries.append(entry)
    return build_taxonomy(entries, str(path))


def build_taxonomy(
    entries: Sequence[tuple[str, Color | None]],
    where: str,
    raw_to_train: Mapping[int, int | None] | None = None,
) -> Taxonomy:
    """Build a taxonomy from declared names and colours.

    Args:
        entries: Name and colour of each class; either all have a colour or none.
        where: The file that declares them, for messages.
        raw_to_train: Train id by mask value, `None` for pixels that do not count.

    Raises:
        DataError: There is no class, or names or colours are not distinct.
    """
    colors = [color for _, color in entries if color is not None]
    twice = next((color for color in colors if colors.count(color) > 1), None)
    if twice:
        msg = f"{where}: the colour {describe_color(twice)} is given twice; colours must differ"
        raise DataError(msg)
    named = [entry for entry in entries if not (entry[1] and entry[0].lower() in VOID_NAMES)]
    if not named:
        msg = f"{where}: declares no class; write one class a line"
        raise DataError(msg)
    try:
        classes = Classes(
            tuple(name for name, _ in named),
            tuple(color for _, color in named if color is not None),
            tuple(sorted((raw_to_train or {}).items())),
        )
    except UsageError as error:
        msg = f"{where}: {error}"
        raise DataError(msg) from None
    void = tuple(color for entry in entries if entry not in named and (color := entry[1]))
    return Taxonomy(classes, bool(colors), void)


def describe_color(color: Color) -> str:
    """Write a colour in both ways people look for it: `r,g,b` and `#rrggbb`."""
    red, green, blue = color
    return f"{red},{green},{blue} (#{red:02x}{green:02x}{blue:02x})"


def _parse_line(line: str, where: str) -> tuple[str, Color | None]:
    if match := _HEX.fullmatch(line):
        red, green, blue = bytes.fromhex(match[2])
    elif match := _DECIMAL.fullmatch(line):
        red, green, blue = (int(part) for part in match.groups()[1:])
    else:
        return line, None
    if max(red, green, blue) > 255:
        msg = f"{where}: colour {red} {green} {blue} goes beyond 255"
        raise DataError(msg)
    return match[1], (red, green, blue)
