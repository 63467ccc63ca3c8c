"""COCO's run lengths: plain lists of numbers, and the text that packs them.

Both go down the columns of the whole picture and start outside. The text holds each number in
groups of five bits, lowest first, one character a group: its code less 48 has the bits 0-4 of the
number and, as bit 5, whether another group follows; bit 4 of the last group is the sign. From the
fourth number on, what is stored is the difference to the number two places before.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from segnext.data.shapes import Runs
from segnext.errors import DataError

Counts = npt.NDArray[np.int64]

# 5 * 7 = 35 bits: more than any picture has pixels, and far from overflowing when added up.
_MOST_GROUPS = 7


def read_runs(segmentation: Mapping[str, Any], height: int, width: int) -> Runs:
    """Read the run lengths of a picture.

    Args:
        segmentation: `size` (height, width) and `counts`, a list or a text.
        height: Of the picture, in pixels.
        width: Of the picture, in pixels.

    Raises:
        DataError: The size is not the picture's, or the lengths are malformed or do not fill it.
    """
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if size != [height, width]:
        msg = f"its run lengths are for {size!r}, but the picture has [{height}, {width}]"
        raise DataError(msg)
    if isinstance(counts, str):
        lengths = unpack_counts(counts)
    elif isinstance(counts, list):
        lengths = _check_list(counts)
    else:
        msg = f"its run lengths must be a list or a text, not {type(counts).__name__}"
        raise DataError(msg)
    pixels = height * width
    right = bool(len(lengths)) and 0 <= lengths.min() <= lengths.max() <= pixels
    if not right or int(lengths.sum()) != pixels:
        msg = f"its run lengths do not add up to the {pixels:,} pixels of the picture"
        raise DataError(msg)
    return Runs(lengths, height, width, by_columns=True)


def pack_counts(counts: Iterable[int]) -> str:
    """Pack run lengths as text."""
    numbers = list(counts)
    text = []
    for place, number in enumerate(numbers):
        rest = number - numbers[place - 2] if place > 2 else number
        while True:
            group, rest = rest & 31, rest >> 5
            # The last group's bit 4 says what the bits above it would be.
            if rest == (-1 if group & 16 else 0):
                text.append(chr(group + 48))
                break
            text.append(chr((group | 32) + 48))
    return "".join(text)


def unpack_counts(text: str) -> Counts:
    """Unpack the text form of run lengths.

    Raises:
        DataError: The text is cut off, or holds characters that the form has not.
    """
    try:
        groups = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - 48
    except UnicodeEncodeError:
        groups = np.array([-1])
    if not len(groups):
        return groups
    if groups.min() < 0 or groups.max() > 63:
        msg = "its packed run lengths hold a character outside 0 to o"
        raise DataError(msg)
    last = groups & 32 == 0
    ends = np.flatnonzero(last)
    starts = np.concatenate([[0], ends[:-1] + 1])
    if not last[-1] or (ends - starts).max() >= _MOST_GROUPS:
        msg = "its packed run lengths are cut off"
        raise DataError(msg)
    places = np.arange(len(groups)) - np.repeat(starts, ends - starts + 1)
    numbers = np.add.reduceat((groups & 31) << 5 * places, starts)
    numbers -= np.where(groups[ends] & 16, np.int64(1) << 5 * (ends - starts + 1), 0)
    numbers[1::2] = numbers[1::2].cumsum()
    numbers[2::2] = numbers[2::2].cumsum()
    return numbers


def _check_list(counts: list[Any]) -> Counts:
    try:
        lengths = np.array(counts)
    except (ValueError, OverflowError):
        lengths = np.array(None)
    if lengths.ndim != 1 or (len(lengths) and lengths.dtype.kind not in "iu"):
        msg = "its run lengths must be whole numbers"
        raise DataError(msg)
    return lengths.astype(np.int64)
