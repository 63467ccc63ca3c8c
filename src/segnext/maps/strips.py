"""Parts of a map that are predicted on their own, with the labels of the whole map.

A label depends on the windows that cover its pixel, and on those next to it. A part that begins
and ends where windows do has just the windows that the whole map has there, so all of its labels
are those of the map but the ones near its edges, where windows of other parts are missing. Strips
from top to bottom bound what a wide map takes in memory; parts that begin further down let a
stopped prediction go on.
"""

from dataclasses import dataclass

from segnext.data.grid import Patch
from segnext.inference.sizes import round_up
from segnext.inference.views import WINDOWS_PER_BATCH, window_starts
from segnext.protocol import GREATEST_STRIDE, LEAST_SIZE, Protocol

# What a strip may have: its width, in pixels, where windows allow it.
STRIP_WIDTH = 24_000


@dataclass(frozen=True)
class Strip:
    """Columns of a map that are predicted from top to bottom.

    Attributes:
        left: First column that is looked at.
        right: Behind the last column that is looked at.
        first: First column whose labels are kept.
        last: Behind the last column whose labels are kept.
    """

    left: int
    right: int
    first: int
    last: int


def plan_strips(width: int, protocol: Protocol, most: int = STRIP_WIDTH) -> list[Strip]:
    """Divide a map into strips whose kept columns join to its width.

    Windows of neighbouring strips that overlap are computed twice: some 4 of 32.

    Args:
        width: Of the map, in pixels.
        protocol: With windows, of the picture's own size.
        most: Width that a strip should not exceed, in pixels; some batches of windows at least.
    """
    assert protocol.window is not None
    window, stride = protocol.window, protocol.effective_stride
    starts = _starts(width, protocol)
    # Windows run in batches, whose make-up may decide about the last bit: strips have whole ones.
    batches = max(
        (most - window) // stride // WINDOWS_PER_BATCH,
        2 + (window + 2 * GREATEST_STRIDE) // stride // WINDOWS_PER_BATCH,
    )
    count = batches * WINDOWS_PER_BATCH
    strips: list[Strip] = []
    first = begin = 0
    while True:
        end = begin + count
        if end >= len(starts):
            strips.append(Strip(starts[begin], width, first, width))
            return strips
        last = starts[end] - GREATEST_STRIDE
        strips.append(Strip(starts[begin], starts[end - 1] + window, first, last))
        begin = _first_needed(starts, window, last)
        begin -= begin % WINDOWS_PER_BATCH
        first = last


def part_below(row: int, strip: Strip, height: int, protocol: Protocol) -> Patch:
    """Return the part of a strip that has the labels of a row, and of all rows below it.

    Args:
        row: First row that is wanted.
        strip: Where.
        height: Of the map, in pixels.
        protocol: As for `plan_strips`.
    """
    assert protocol.window is not None
    starts = _starts(height, protocol)
    top = starts[_first_needed(starts, protocol.window, row)]
    return Patch(top, strip.left, height, strip.right)


def _starts(length: int, protocol: Protocol) -> list[int]:
    """Return first pixels of the windows along one side of a map, as a view of it has them."""
    assert protocol.window is not None
    full = max(LEAST_SIZE, length)
    if protocol.overlap == "blend":
        full = round_up((full, full), GREATEST_STRIDE)[0]
    return window_starts(full, min(full, protocol.window), protocol.effective_stride)


def _first_needed(starts: list[int], window: int, pixel: int) -> int:
    """Return the first window that a pixel, or one behind it, can depend on."""
    needed = (i for i, start in enumerate(starts) if start + window + GREATEST_STRIDE > pixel)
    return next(needed)
