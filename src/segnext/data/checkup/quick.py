"""The quick form of the check-up, which a training runs first: seconds, whatever the size."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from segnext.classes import Mask
from segnext.data.checkup.finding import (
    Finding,
    Severity,
    agree,
    list_examples,
    shorten,
    sort_findings,
)
from segnext.data.checkup.labels import Reread
from segnext.data.checkup.leakage import report_neighbours
from segnext.data.checkup.neighbours import Border, confirm_borders, find_borders
from segnext.data.checkup.shares import TRAIN, VAL, add_shares, find_class_faults
from segnext.data.containers.paths import file_size
from segnext.data.duplicates import Sketch, sketch_picture
from segnext.data.folder import Folder, FolderDataset
from segnext.data.headers import read_picture_bytes
from segnext.data.pairing import Item
from segnext.data.statistics import spread_sample
from segnext.errors import DataError

# Masks of each split, pictures compared, borders of sequences looked at, and file sizes asked for.
MASKS, COMPARED, BORDERS, SIZES = 200, 60, 16, 20_000


def quick_check(folder: Folder, splits: Sequence[str] = (TRAIN, VAL)) -> list[Finding]:
    """Look for what would spoil a training, in at most a few hundred files.

    Args:
        folder: The data set.
        splits: That the training uses.

    Returns:
        Findings, what matters most first; those of severity `error` would stop the training.
    """
    parts = {split: folder.dataset(split) for split in splits}
    findings: list[Finding] = []
    seen: dict[str, list[Reread]] = {}
    for split, part in parts.items():
        if len(part):
            seen[split], problems = _read_masks(part)
            findings += problems
        else:
            title = f"{folder.root}: the {split} split is empty"
            findings.append(Finding("empty_split", Severity.ERROR, title))
    if not findings:
        findings += _find_class_faults(folder, parts, seen)
    findings += _find_copies(folder, parts)
    findings += _find_neighbours(parts)
    return list(sort_findings(findings))


def _read_masks(part: FolderDataset) -> tuple[list[Reread], list[Finding]]:
    """Read a spread of masks; what is wrong with them keeps the words of the reader."""
    sample = spread_sample(len(part), MASKS)

    def read(index: int) -> Reread | str:
        try:
            return _count(part.checked_mask(index), part)
        except DataError as error:
            return str(error)

    with ThreadPoolExecutor() as threads:
        found = list(threads.map(read, sample))
    problems = [problem for problem in found if isinstance(problem, str)]
    masks = [mask for mask in found if not isinstance(mask, str)]
    if problems:
        wrong = Finding(
            "wrong_masks",
            Severity.ERROR,
            problems[0],
            count=len(problems),
            examples=list_examples(problems),
        )
        return masks, [wrong]
    empty = [index for index, mask in zip(sample, masks, strict=True) if not mask.pixels.total()]
    if not empty:
        return masks, []
    return masks, [
        Finding(
            "empty_masks",
            Severity.ERROR if len(empty) == len(part) else Severity.WARNING,
            f"{agree(len(empty), part.split + ' mask', 'hold')} nothing that counts, of "
            f"{len(sample)} looked at, such as {part.items[empty[0]].mask_path}",
            count=len(empty),
        )
    ]


def _count(mask: Mask, part: FolderDataset) -> Reread:
    counts = np.bincount(mask.reshape(-1), minlength=part.classes.ignore_index + 1)
    ignored = int(counts[part.classes.ignore_index])
    counts[part.classes.ignore_index] = 0
    labels = np.flatnonzero(counts).tolist()
    return Reread(Counter({label: int(counts[label]) for label in labels}), ignored, Counter())


def _find_class_faults(
    folder: Folder, parts: Mapping[str, FolderDataset], seen: Mapping[str, Sequence[Reread]]
) -> list[Finding]:
    # What a sample does not show may still be there.
    if any(len(part) > MASKS for part in parts.values()):
        return []
    labels = folder.classes.num_labels
    shares = {split: add_shares(masks, labels) for split, masks in seen.items()}
    return [
        finding
        for finding in find_class_faults(shares, folder.classes)
        if finding.severity is not Severity.NOTE
    ]


def _find_copies(folder: Folder, parts: Mapping[str, FolderDataset]) -> list[Finding]:
    """Look for equal files in different splits, among those of equal length."""
    lengths: dict[int, dict[str, list[Item]]] = defaultdict(lambda: defaultdict(list))
    for split, part in parts.items():
        for index in spread_sample(len(part), SIZES):
            item = part.items[index]
            try:
                lengths[file_size(item.image_path)][split].append(item)
            except (OSError, DataError):
                continue  # whoever reads it will say so
    pairs = [
        (one, other)
        for found in lengths.values()
        if len(found) > 1
        for one in found[next(iter(found))]
        for split in list(found)[1:]
        for other in found[split]
    ]
    chosen = [pairs[index] for index in spread_sample(len(pairs), COMPARED)]
    equal = [(one, other) for one, other in chosen if _are_equal(one, other)]
    if not equal:
        return []
    names = [
        f"{shorten(one.image_path, folder.root)} and {shorten(other.image_path, folder.root)}"
        for one, other in equal
    ]
    return [
        Finding(
            "same_picture_in_splits",
            Severity.WARNING,
            f"leak: {agree(len(equal), 'picture', 'lie')} in {' and '.join(parts)} as equal files, "
            f"so scores flatter, such as {names[0]}",
            count=len(equal),
            examples=list_examples(names),
        )
    ]


def _are_equal(one: Item, other: Item) -> bool:
    # One file in two splits is said when the folder is opened.
    if one.image_path == other.image_path:
        return False
    try:
        return read_picture_bytes(one.image_path) == read_picture_bytes(other.image_path)
    except DataError:
        return False


def _find_neighbours(parts: Mapping[str, FolderDataset]) -> list[Finding]:
    borders = find_borders({s: [item.name for item in part.items] for s, part in parts.items()})
    looked = [borders[index] for index in spread_sample(len(borders), BORDERS)]
    confirmed = confirm_borders(looked, _sketch(looked, parts))
    if not confirmed:
        return []
    found = report_neighbours(confirmed)
    example = found.examples[0]
    more = f"{len(confirmed)} of {len(looked)} pairs looked at, of {len(borders)} in all"
    return [
        Finding(
            found.code,
            Severity.WARNING,
            f"leak: consecutive frames of one sequence lie in {' and '.join(parts)} ({more}), such "
            f"as {example}; --group keeps them together",
            count=len(confirmed),
            examples=found.examples,
        )
    ]


def _sketch(
    borders: Sequence[Border], parts: Mapping[str, FolderDataset]
) -> dict[tuple[str, str], Sketch]:
    places = {s: {item.name: i for i, item in enumerate(p.items)} for s, p in parts.items()}
    wanted = {(f.split, f.name) for b in borders for f in (b.one, b.other, b.far)}

    def read(key: tuple[str, str]) -> Sketch | None:
        split, name = key
        try:
            return sketch_picture(parts[split].image(places[split][name]))
        except DataError:
            return None

    order = sorted(wanted)
    with ThreadPoolExecutor() as threads:
        found = zip(order, threads.map(read, order), strict=True)
        return {key: sketch for key, sketch in found if sketch is not None}
