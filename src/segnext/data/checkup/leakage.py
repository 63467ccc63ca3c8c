"""Pictures of one split that another one knows already, so that scores flatter."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from segnext.data.arrangement import Arrangement
from segnext.data.checkup.finding import (
    Finding,
    Severity,
    agree,
    count_of,
    list_examples,
    percent,
    shorten,
)
from segnext.data.checkup.neighbours import Border, confirm_borders, find_borders
from segnext.data.checkup.readings import Reading
from segnext.data.duplicates import find_near_duplicates
from segnext.data.footprints import find_overlaps

# Share of a split, known to another one, from which its scores say nothing.
SPOILT_SHARE = 0.01
_GROUP = "Keep what belongs together in one split with --group, or move the pictures."


def find_leaks(readings: Sequence[Reading], arranged: Arrangement) -> list[Finding]:
    """Look for equal, similar, neighbouring and overlapping pictures, and for divided groups."""
    whole = [reading for reading in readings if reading.picture]
    return [
        *find_equal_files(whole, arranged.root),
        *_find_divided_groups(arranged),
        *_find_similar(whole, arranged.root),
        *_find_neighbours(whole),
        *_find_overlapping(whole, arranged.root),
    ]


def find_equal_files(readings: Sequence[Reading], root: Path) -> list[Finding]:
    """Look for pictures whose files are equal, byte by byte, in one split or in several."""
    equal: dict[bytes, list[Reading]] = defaultdict(list)
    sizes = Counter(reading.split for reading in readings)
    for reading in readings:
        # Empty tiles equal each other and give nothing away.
        if reading.picture and not reading.picture.flat:
            equal[reading.picture.digest].append(reading)
    sets = [found for found in equal.values() if len(found) > 1]
    across = [found for found in sets if len({reading.split for reading in found}) > 1]
    within = [found for found in sets if len({reading.split for reading in found}) == 1]
    findings = []
    if across:
        shared = Counter(split for found in across for split in {r.split for r in found})
        many = any(count >= SPOILT_SHARE * sizes[split] for split, count in shared.items())
        findings.append(
            Finding(
                "same_picture_in_splits",
                Severity.ERROR if many else Severity.WARNING,
                f"{agree(len(across), 'picture', 'lie')} in several splits, as equal files.",
                "Remove them from all splits but one; scores on pictures that were trained on "
                "mean nothing.",
                len(across),
                _list_sets(across, root),
            )
        )
    if within:
        findings.append(
            Finding(
                "same_picture_twice",
                Severity.WARNING,
                f"{agree(len(within), 'picture', 'occur')} more than once within a split, as "
                f"equal files.",
                "Remove the copies; they count several times.",
                len(within),
                _list_sets(within, root),
            )
        )
    contradicting = [
        found for found in sets if len({r.mask.digest for r in found if r.mask is not None}) > 1
    ]
    if contradicting:
        findings.append(
            Finding(
                "contradicting_masks",
                Severity.WARNING,
                f"{agree(len(contradicting), 'picture', 'come')} with two different masks.",
                "Decide which mask is right and remove the other copy.",
                len(contradicting),
                _list_sets(contradicting, root),
            )
        )
    return findings


def _list_sets(sets: Sequence[Sequence[Reading]], root: Path) -> tuple[str, ...]:
    return list_examples(
        " = ".join(f"{shorten(r.item.image_path, root)} ({r.split})" for r in found[:5])
        for found in sets
    )


def _find_divided_groups(arranged: Arrangement) -> list[Finding]:
    if arranged.rule is None:
        return []
    splits: dict[str, dict[str, int]] = defaultdict(dict)
    for split, items in arranged.splits.items():
        for item in items:
            splits[item.group][split] = splits[item.group].get(split, 0) + 1
    divided = {group: found for group, found in sorted(splits.items()) if len(found) > 1}
    if not divided:
        return []
    lines = (
        f"{group}: " + ", ".join(f"{count} in {split}" for split, count in found.items())
        for group, found in divided.items()
    )
    return [
        Finding(
            "divided_groups",
            Severity.WARNING,
            f"{agree(len(divided), 'group', 'lie')} in several splits, of {len(splits)} in all.",
            "Move each group into one split; where no folders or lists give the splits, --group "
            "does it.",
            len(divided),
            list_examples(lines),
        )
    ]


def _find_similar(readings: Sequence[Reading], root: Path) -> list[Finding]:
    findings = []
    sketched: dict[str, list[Reading]] = defaultdict(list)
    for reading in readings:
        if reading.picture and reading.picture.sketch:
            sketched[reading.split].append(reading)
    for one, other in combinations(sketched, 2):
        known = {r.picture.digest for r in sketched[one] if r.picture}
        first = sketched[one]
        # Equal files have a finding of their own.
        second = [r for r in sketched[other] if r.picture and r.picture.digest not in known]
        near = find_near_duplicates(
            [r.picture.sketch for r in first if r.picture and r.picture.sketch],
            [r.picture.sketch for r in second if r.picture and r.picture.sketch],
        )
        if near.pictures:
            findings.append(
                Finding(
                    "similar_pictures",
                    Severity.WARNING,
                    f"{near.pictures} of {len(second)} {other} pictures nearly repeat one of "
                    f"{len(first)} in {one}: resized or brightened copies, or frames of a slow "
                    f"video.",
                    _GROUP,
                    near.pictures,
                    list_examples(
                        f"{shorten(second[b].item.image_path, root)} is like "
                        f"{shorten(first[a].item.image_path, root)}"
                        for a, b in near.first
                    ),
                )
            )
    return findings


def _find_neighbours(readings: Sequence[Reading]) -> list[Finding]:
    names: dict[str, list[str]] = defaultdict(list)
    sketches = {}
    for reading in readings:
        names[reading.split].append(reading.item.name)
        if reading.picture and reading.picture.sketch:
            sketches[reading.split, reading.item.name] = reading.picture.sketch
    confirmed = confirm_borders(find_borders(names), sketches)
    return [report_neighbours(confirmed)] if confirmed else []


def report_neighbours(borders: Sequence[Border]) -> Finding:
    """Say which frames follow each other across splits."""
    between = sorted({" and ".join(sorted({b.one.split, b.other.split})) for b in borders})
    return Finding(
        "neighbouring_frames",
        Severity.WARNING,
        f"{count_of(len(borders), 'pair')} of consecutive frames of one sequence, which look "
        f"alike, are divided between {'; '.join(between)}.",
        f"{_GROUP} For example --group '^(.*?)\\d+$' keeps names alike but for their last number "
        f"together.",
        len(borders),
        list_examples(
            f"{b.one.name} ({b.one.split}) is followed by {b.other.name} ({b.other.split})"
            for b in borders
        ),
    )


def _find_overlapping(readings: Sequence[Reading], root: Path) -> list[Finding]:
    placed: dict[str, list[Reading]] = defaultdict(list)
    for reading in readings:
        if reading.picture and reading.picture.footprint:
            placed[reading.split].append(reading)
    findings = []
    for one, other in combinations(placed, 2):
        first, second = placed[one], placed[other]
        overlaps = find_overlaps(
            [r.picture.footprint for r in first if r.picture and r.picture.footprint],
            [r.picture.footprint for r in second if r.picture and r.picture.footprint],
        )
        if overlaps:
            findings.append(
                Finding(
                    "overlapping_tiles",
                    Severity.WARNING,
                    f"{len(overlaps)} of {count_of(len(second), 'GeoTIFF')} of {other} show ground "
                    f"that those of {one} show too.",
                    "Divide the area between the splits, not the tiles: "
                    + _GROUP[0].lower()
                    + _GROUP[1:],
                    len(overlaps),
                    list_examples(
                        f"{shorten(second[b].item.image_path, root)}: {percent(share)} of it lies "
                        f"in {shorten(first[a].item.image_path, root)}"
                        for a, b, share in sorted(overlaps, key=lambda found: -found[2])
                    ),
                )
            )
    return findings
