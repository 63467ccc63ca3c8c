"""Frames of one video that lie in different splits, recognised by name and look."""

import re
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from segnext.data.duplicates import Sketch

# Frames of a video resemble their neighbours far more than frames from elsewhere in it, or, where
# the whole video looks alike, a little more nearly every time.
LEAST_CORRELATION, LEAST_LEAD = 0.5, 0.15
STEADY_LEAD, STEADY_SHARE, STEADY_PAIRS = 0.05, 0.9, 10
# A gap this many times the usual one separates two takes.
_LARGEST_GAP = 2
_NUMBERED = re.compile(r"(.*\D|)(\d+)(\D*)")


@dataclass(frozen=True)
class Frame:
    """A picture whose name ends in a number.

    Attributes:
        number: That number.
        split: Where the picture lies.
        name: Of the picture.
    """

    number: int
    split: str
    name: str


@dataclass(frozen=True)
class Border:
    """Two frames that follow each other in one sequence, but lie in different splits.

    Attributes:
        one: The earlier.
        other: The later.
        far: A frame of the same sequence that is far from both.
    """

    one: Frame
    other: Frame
    far: Frame


def find_borders(names: Mapping[str, Sequence[str]]) -> list[Border]:
    """Find consecutive numbers in different splits, by name alone.

    Args:
        names: Of the pictures, by split.
    """
    sequences: dict[tuple[str, str], list[Frame]] = defaultdict(list)
    for split, pictures in names.items():
        for name in pictures:
            match = _NUMBERED.fullmatch(name)
            # Longer numbers are hashes or dates; their distance means nothing.
            if match and len(match[2]) <= 12:
                sequences[match[1], match[3]].append(Frame(int(match[2]), split, name))
    found: list[Border] = []
    for frames in sequences.values():
        frames.sort(key=lambda frame: (frame.number, frame.split))
        found += _borders_of(frames)
    return found


def _borders_of(frames: Sequence[Frame]) -> list[Border]:
    gaps = [after.number - before.number for before, after in pairwise(frames)]
    if len(frames) < 4 or len({frame.split for frame in frames}) < 2:
        return []
    usual = max(1, statistics.median(gaps))
    half = len(frames) // 2
    return [
        Border(before, after, frames[(position + half) % len(frames)])
        for position, (before, after) in enumerate(pairwise(frames))
        if before.split != after.split and 0 < gaps[position] <= _LARGEST_GAP * usual
    ]


def confirm_borders(
    borders: Sequence[Border], sketches: Mapping[tuple[str, str], Sketch]
) -> list[Border]:
    """Return the borders whose pictures look like neighbours; none where numbers mean nothing.

    Args:
        borders: Of `find_borders`.
        sketches: By split and name; borders without are left out.
    """
    near, far, seen = [], [], []
    for border in borders:
        parts = [sketches.get((f.split, f.name)) for f in (border.one, border.other, border.far)]
        one, other, distant = parts
        if one is None or other is None or distant is None:
            continue
        near.append(_correlate(one, other))
        far.append(_correlate(other, distant))
        seen.append(border)
    if not seen or not _look_like_frames(near, far):
        return []
    pairs = zip(seen, near, strict=True)
    return [border for border, likeness in pairs if likeness >= LEAST_CORRELATION]


def _look_like_frames(near: Sequence[float], far: Sequence[float]) -> bool:
    """Tell whether neighbours are alike because they are neighbours."""
    if statistics.median(near) - statistics.median(far) >= LEAST_LEAD:
        return True
    leads = [close - distant for close, distant in zip(near, far, strict=True)]
    return (
        len(leads) >= STEADY_PAIRS
        and sum(lead > 0 for lead in leads) >= STEADY_SHARE * len(leads)
        and statistics.median(leads) >= STEADY_LEAD
    )


def _correlate(one: Sketch, other: Sketch) -> float:
    return float(one.thumbnail @ other.thumbnail)
