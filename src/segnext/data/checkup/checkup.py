"""Read everything of a data set and say what would spoil a training, what is odd, and the cure.

It starts from the arrangement of files and the stored values of masks rather than from an opened
`Folder`: the data sets that `open_folder` refuses are those that need a check-up most.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segnext.classes import Classes
from segnext.data.arrangement import Arrangement, arrange, read_declared
from segnext.data.checkup.finding import Finding, Severity, count_of, list_examples, sort_findings
from segnext.data.checkup.gathering import gather
from segnext.data.checkup.labels import Labels, Reread, build_tables, reread, settle_labels
from segnext.data.checkup.leakage import find_leaks
from segnext.data.checkup.pictures import (
    Sizes,
    differs_in_size,
    find_broken,
    find_odd_pictures,
    find_other_sizes,
    find_unpaired,
    measure_sizes,
)
from segnext.data.checkup.proposal import Proposal
from segnext.data.checkup.readings import Job, Reading
from segnext.data.checkup.shares import (
    ClassShares,
    add_shares,
    find_class_faults,
    find_empty_masks,
    find_split_faults,
)
from segnext.data.containers.paths import is_folder, walk_files
from segnext.data.folder import Folder, FolderDataset, relabel_masks
from segnext.data.images import IMAGE_SUFFIXES
from segnext.data.statistics import spread_sample
from segnext.errors import DataError

# Pictures of each split, spread evenly, that are compared with those of other splits.
COMPARED = 5000


@dataclass(frozen=True)
class Checkup:
    """What a check-up found.

    Attributes:
        root: The data set.
        findings: What matters most first.
        proposals: Label maps that would mend the masks, the likeliest first.
        notes: How the data set is read.
        splits: Number of pictures by split.
        labelled: Of them with a mask.
        sizes: Of the pictures; `None` where none could be read.
        classes: What train ids mean; `None` where the masks could not be understood.
        shares: What the masks hold, by split.
        proposed: Classes and shares are those of the first proposal.
        folder: What is whole of the data set, to draw and to plan from; `None` without any.
        seconds: What the check-up took.
    """

    root: Path
    findings: tuple[Finding, ...]
    proposals: tuple[Proposal, ...] = ()
    notes: tuple[str, ...] = ()
    splits: Mapping[str, int] = field(default_factory=dict)
    labelled: Mapping[str, int] = field(default_factory=dict)
    sizes: Sizes | None = None
    classes: Classes | None = None
    shares: Mapping[str, ClassShares] = field(default_factory=dict)
    proposed: bool = False
    folder: Folder | None = None
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Tell whether nothing was found that would spoil a training."""
        return not any(finding.severity is Severity.ERROR for finding in self.findings)

    def count(self, severity: Severity) -> int:
        """Return the number of findings of a severity."""
        return sum(finding.severity is severity for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        sizes = self.sizes
        return {
            "root": str(self.root),
            "passed": self.passed,
            "findings": [finding.to_dict() for finding in self.findings],
            "proposals": [proposal.to_dict() for proposal in self.proposals],
            "notes": list(self.notes),
            "splits": dict(self.splits),
            "labelled": dict(self.labelled),
            "sizes": {
                "width": list(sizes.width),
                "height": list(sizes.height),
                "common": [list(entry) for entry in sizes.common],
                "distinct": sizes.distinct,
            }
            if sizes
            else None,
            "classes": self._describe_classes(),
            "ignored": {split: part.ignored for split, part in self.shares.items()},
            "proposed": self.proposed,
            "seconds": round(self.seconds, 3),
        }

    def _describe_classes(self) -> list[dict[str, Any]]:
        if self.classes is None:
            return []
        return [
            {
                "name": name,
                "color": list(self.classes.label_colors[label]),
                "pixels": {split: int(part.pixels[label]) for split, part in self.shares.items()},
                "images": {split: int(part.images[label]) for split, part in self.shares.items()},
            }
            for label, name in enumerate(self.classes.label_names)
        ]


def check_data(
    root: Path | str,
    *,
    group: str | None = None,
    ignore_index: Sequence[int] = (),
    split_seed: int = 0,
    format: str | None = None,
    workers: int | None = None,
    on_done: Callable[[int, int], None] = lambda _done, _total: None,
) -> Checkup:
    """Check a data set: read everything, and report what is wrong instead of stopping at it.

    Args:
        root: As `segnext.data.open_folder` takes it.
        group: As there.
        ignore_index: As there.
        split_seed: As there.
        format: As there.
        workers: Processes that read; the machine's cores if not given, 0 for threads only.
        on_done: Called with pictures read and in all.

    Raises:
        UsageError: An argument is out of range, or the format unknown.
        DataError: The system ended a process that was reading.
    """
    start, root = time.perf_counter(), Path(root)
    try:
        arranged = arrange(root, group=group, split_seed=split_seed, format=format)
        arranged = arranged.without_repeats()
        declared = None if arranged.layout.masks else read_declared(arranged)
        given = arranged.layout.masks
        if given is not None:
            given = relabel_masks(given, arranged.described, ignore_index)
    except DataError as error:
        return _report_unopened(root, error)
    readings = gather(_list_jobs(arranged), given, workers=workers, on_done=on_done)
    labels = settle_labels(readings, arranged, declared, ignore_index, root)
    return _report(readings, arranged, labels, start)


def _report_unopened(root: Path, error: DataError) -> Checkup:
    """Report a data set of which not even the files could be told apart."""
    found = list_examples(_list_files(root))
    remedy = "Mend what the line says; the files that were found are listed by folder."
    finding = Finding(
        "not_understood",
        Severity.ERROR,
        f"{error}.",
        remedy if found else "Check the name of the folder or archive, and that it was unpacked.",
        examples=found,
    )
    return Checkup(root, (finding,))


def _list_files(root: Path) -> list[str]:
    found: Counter[tuple[str, str]] = Counter()
    try:
        for path in walk_files(root) if is_folder(root) else ():
            kind = "picture" if path.suffix.lower() in IMAGE_SUFFIXES else "other file"
            found[path.parent.relative_to(root).as_posix(), kind] += 1
    except DataError:
        return []  # a broken archive, as the finding says
    return [f"{place}/: {count_of(count, kind)}" for (place, kind), count in found.items()]


def _list_jobs(arranged: Arrangement) -> list[Job]:
    jobs = []
    for split, items in arranged.splits.items():
        compared = set(spread_sample(len(items), COMPARED))
        jobs += [Job(split, item, index in compared) for index, item in enumerate(items)]
    return jobs


def _report(
    readings: Sequence[Reading], arranged: Arrangement, labels: Labels, start: float
) -> Checkup:
    root = arranged.root
    counts = {split: len(items) for split, items in arranged.splits.items()}
    labelled = {
        split: sum(item.mask_path is not None for item in items)
        for split, items in arranged.splits.items()
    }
    findings = [
        *labels.findings,
        *find_broken(readings, root),
        *find_other_sizes(readings, root),
        *find_split_faults(counts, labelled),
    ]
    masks, shares, classes = _reread_all(readings, labels)
    if classes is not None:
        understood = [reading for reading, _ in masks]
        findings += find_empty_masks(understood, [mask for _, mask in masks], root)
        findings += find_class_faults(shares, classes)
    findings += find_leaks(readings, arranged)
    findings += find_unpaired(readings, arranged)
    findings += find_odd_pictures(readings, root)
    return Checkup(
        root=root,
        findings=sort_findings(findings),
        proposals=tuple(labels.proposals),
        notes=(*arranged.notes, *labels.notes),
        splits=counts,
        labelled=labelled,
        sizes=measure_sizes(readings),
        classes=classes,
        shares=shares,
        proposed=labels.proposed,
        folder=_keep_whole(readings, arranged, labels, [reading for reading, _ in masks]),
        seconds=time.perf_counter() - start,
    )


def _reread_all(
    readings: Sequence[Reading], labels: Labels
) -> tuple[list[tuple[Reading, Reread]], dict[str, ClassShares], Classes | None]:
    """Return the masks that are understood with what they hold, also added up by split."""
    if labels.reader is None:
        return [], {}, None
    tables, classes = build_tables(labels.reader), labels.reader.classes
    masks = [(r, reread(r.mask, tables)) for r in readings if r.mask]
    masks = [(reading, mask) for reading, mask in masks if not mask.strange]
    splits = dict.fromkeys(reading.split for reading, _ in masks)
    shares = {
        split: add_shares([m for r, m in masks if r.split == split], classes.num_labels)
        for split in splits
    }
    return masks, shares, classes


def _keep_whole(
    readings: Sequence[Reading],
    arranged: Arrangement,
    labels: Labels,
    understood: Sequence[Reading],
) -> Folder | None:
    """Return the pictures with a mask that can be trained on as they are."""
    headers = [r.picture.header for r in readings if r.picture]
    if labels.reader is None or not headers:
        return None
    channels = Counter(header.channels for header in headers)
    usual = max(channels) if set(channels) == {1, 3} else channels.most_common(1)[0][0]
    fitting = {1, 3} if usual == 3 else {usual}
    splits: dict[str, FolderDataset] = {}
    for split in arranged.splits:
        items = tuple(
            reading.item
            for reading in understood
            if reading.split == split
            and reading.picture
            and reading.picture.header.channels in fitting
            and not differs_in_size(reading)
        )
        if items:
            splits[split] = FolderDataset(split, items, usual, labels.reader)
    if not splits:
        return None
    bits = max(header.bits for header in headers)
    classes = labels.reader.classes
    notes = list(arranged.notes)
    return Folder(arranged.root, classes, splits, usual, bits, notes, format=arranged.format)
