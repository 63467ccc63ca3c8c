"""What the masks of a data set mean, or would mean once its label map is mended."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segnext.classes import Color
from segnext.data.arrangement import Arrangement
from segnext.data.checkup.color_masks import (
    diagnose_colors_without_names,
    diagnose_strange_colors,
    find_stray_colors,
    report_colors_for_ids,
)
from segnext.data.checkup.finding import Finding, Severity, agree, list_examples
from segnext.data.checkup.id_masks import (
    Diagnosis,
    Table,
    accepted_values,
    diagnose_black_and_white,
    diagnose_gaps,
    diagnose_no_classes,
    diagnose_strange_ids,
    where_is,
)
from segnext.data.checkup.proposal import LabelMap, Proposal, write_proposal
from segnext.data.checkup.readings import MaskReading, Reading, ValueCounts
from segnext.data.folder import relabel_masks, training_masks
from segnext.data.masks import FileMasks, Kind, MaskReader, pack_colors, unpack_color
from segnext.data.survey import MOST_FOUND_COLORS, MaskSurvey, choose_reader, select_surveyed
from segnext.data.taxonomy import Taxonomy
from segnext.errors import DataError, UsageError

# What a grey value is as a packed colour.
_GREY = 0x010101


@dataclass(frozen=True)
class Labels:
    """How the masks are read.

    Attributes:
        reader: By which most can be read, the first proposal applied where it is needed; `None`
            where nothing fits.
        findings: What is wrong with the labels.
        proposals: Label maps that would mend it, the likeliest first.
        proposed: The reader obeys the first proposal, not what the data set says today.
        notes: What was seen and decided.
    """

    reader: MaskReader | None
    findings: list[Finding]
    proposals: list[Proposal]
    proposed: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reread:
    """A mask's values by what they mean.

    Attributes:
        pixels: By train id.
        ignored: Pixels that count for nothing.
        strange: Pixels by value that nobody declared.
    """

    pixels: Counter[int]
    ignored: int
    strange: Counter[int]


def settle_labels(
    readings: Sequence[Reading],
    arranged: Arrangement,
    declared: Taxonomy | None,
    ignore_index: Sequence[int],
    source: Path,
) -> Labels:
    """Find out how the masks are to be read, as `open_folder` does, and mend what it refuses.

    Args:
        readings: Of all pictures.
        arranged: The data set.
        declared: Its classes, where a file declares them.
        ignore_index: Mask values that count for nothing, as the user said.
        source: What the user named.
    """
    given = arranged.layout.masks
    masked = [reading for reading in readings if reading.mask]
    if given is not None and not isinstance(given, FileMasks):
        return Labels(relabel_masks(given, arranged.described, ignore_index), [], [])
    if not masked:
        return Labels(None, [], [])
    mixed, masked = _find_mixed(masked, arranged.root)
    lossy = [r for r in masked if _is_lossy(r.mask)]
    masked = [r for r in masked if not _is_lossy(r.mask)]
    findings = mixed + _report_lossy(lossy, arranged.root)
    if not masked:
        return Labels(None, findings, [])
    told = arranged.described.ignore_index if arranged.described else ()
    ignored = (*ignore_index, *told)
    attempt = _Attempt(masked, arranged, declared, ignored, ignore_index)
    reader, notes, problem = attempt.read(None)
    found, maps = _diagnose(attempt, reader, problem)
    proposals = [write_proposal(label_map, arranged, source) for label_map in maps]
    proposed = bool(maps) and any(finding.severity is Severity.ERROR for finding in found)
    if proposed:
        reader, notes, _ = attempt.read(maps[0])
    return Labels(reader, findings + found, proposals, proposed and reader is not None, notes)


@dataclass(frozen=True)
class _Attempt:
    """What is needed to read the masks by one label map after another."""

    masked: Sequence[Reading]
    arranged: Arrangement
    declared: Taxonomy | None
    ignored: tuple[int, ...]
    ignore_index: Sequence[int]

    def read(self, label_map: LabelMap | None) -> tuple[FileMasks | None, tuple[str, ...], str]:
        """Return the reader, what was decided, and the problem if there is no reader."""
        declared = label_map.taxonomy if label_map and label_map.taxonomy else self.declared
        ignored = (*self.ignored, *(label_map.ignored if label_map else ()))
        reader = self.arranged.layout.masks
        notes: list[str] = []
        try:
            if reader is None:
                survey = _survey(self.masked, self.arranged, declared)
                reader, notes = choose_reader(survey, len(self.masked), declared, ignored)
            reader = relabel_masks(reader, self.arranged.described, (*self.ignore_index, *ignored))
        except (DataError, UsageError) as error:
            return None, (), str(error)
        assert isinstance(reader, FileMasks)
        return reader, tuple(notes), ""


def _survey(
    masked: Sequence[Reading], arranged: Arrangement, declared: Taxonomy | None
) -> MaskSurvey:
    """Look at the masks that `open_folder` looks at, as far as they could be read."""
    wanted = set(select_surveyed(training_masks(arranged.splits, arranged.root), declared))
    looked = [r for r in masked if r.item.mask_path in wanted] or list(masked)
    kinds: dict[Path, Kind] = {}
    values: set[int] = set()
    colors: set[Color] = set()
    for reading in looked:
        mask, path = reading.mask, reading.item.mask_path
        assert mask is not None
        assert path is not None
        assert mask.kind != "train"
        kinds[path] = mask.kind
        if mask.kind != "color":
            values.update(mask.values.tolist())
        if mask.kind in ("grey", "color"):
            factor = _GREY if mask.kind == "grey" else 1
            colors.update(unpack_color(value * factor) for value in mask.values.tolist())
    return MaskSurvey(kinds, frozenset(values), frozenset(colors))


def _diagnose(attempt: _Attempt, reader: FileMasks | None, problem: str) -> Diagnosis:
    masks = [reading.mask for reading in attempt.masked if reading.mask]
    found = ValueCounts.of(masks)
    declared, root = attempt.declared, attempt.arranged.root
    colored = masks[0].kind == "color" or any(mask.kind == "color" for mask in masks)
    if reader is None:
        if colored and declared and not declared.has_colors:
            return diagnose_colors_without_names(found, declared, len(masks))
        if not colored and declared is None:
            return diagnose_no_classes(found, masks)
        return [Finding("unreadable_labels", Severity.ERROR, f"{problem}.")], []
    if colored and reader.kind == "ids":
        return report_colors_for_ids(attempt.masked, attempt.arranged), []
    strange: Counter[int] = Counter()
    tables = build_tables(reader)
    for mask in masks:
        strange += reread(mask, tables).strange
    if strange and reader.kind == "color":
        return diagnose_strange_colors(attempt.masked, reader.taxonomy, strange, root)
    if strange:
        given = declared is not None or attempt.arranged.layout.masks is not None
        return diagnose_strange_ids(attempt.masked, reader.taxonomy, strange, root, declared=given)
    if reader.kind == "color":
        return (find_stray_colors(found) if declared is None else []), []
    given = attempt.arranged.layout.masks is not None
    if declared is None and not given and not reader.classes.raw_to_train:
        gaps = diagnose_gaps(found, reader.classes, attempt.ignored)
        if gaps[0]:
            return gaps
    return ([], []) if given else diagnose_black_and_white(attempt.masked, reader.classes, root)


def build_tables(reader: MaskReader) -> dict[str, Table]:
    """Return what each value means, for masks of each kind; see `MaskReading.kind`."""
    return {
        kind: _build_table(reader, kind) for kind in ("ids", "palette", "grey", "color", "train")
    }


def _build_table(reader: MaskReader, kind: str) -> Table:
    accepted = accepted_values(reader.classes)
    if not isinstance(reader, FileMasks):
        labels = range(reader.classes.num_labels)
        return {**{label: label for label in labels}, reader.classes.ignore_index: None}
    if reader.kind == "ids":
        return {} if kind == "color" else accepted
    if kind not in ("grey", "color"):
        return {}
    palette = reader.taxonomy.palette or reader.classes.label_colors
    table: Table = {}
    for position, color in enumerate(palette):
        table[_pack(color)] = accepted.get(position)
    table.update((_pack(color), None) for color in reader.taxonomy.void_colors)
    if kind == "color":
        return table
    return {value // _GREY: label for value, label in table.items() if value % _GREY == 0}


def reread(mask: MaskReading, tables: Mapping[str, Table]) -> Reread:
    """Count the pixels of a mask by what they mean.

    Args:
        mask: As stored.
        tables: Of `build_tables`.
    """
    table = tables[mask.kind]
    pixels: Counter[int] = Counter()
    strange: Counter[int] = Counter()
    ignored = 0
    for value, count in zip(mask.values.tolist(), mask.counts.tolist(), strict=True):
        if value not in table:
            strange[value] += count
        elif (label := table[value]) is None:
            ignored += count
        else:
            pixels[label] += count
    return Reread(pixels, ignored, strange)


def _pack(color: Color) -> int:
    return int(pack_colors(np.array(color, np.uint8)))


def _is_lossy(mask: MaskReading | None) -> bool:
    return mask is not None and mask.kind == "color" and mask.distinct > MOST_FOUND_COLORS


def _report_lossy(lossy: Sequence[Reading], root: Path) -> list[Finding]:
    if not lossy:
        return []
    return [
        Finding(
            "photos_as_masks",
            Severity.ERROR,
            f"{agree(len(lossy), 'mask', 'have')} more than {MOST_FOUND_COLORS} colours: photos, "
            f"or masks that were saved as JPEG once.",
            "Export the masks again as PNG; what JPEG changed cannot be mended.",
            len(lossy),
            list_examples(
                f"{where_is(reading, root)}: {reading.mask.distinct:,} colours"
                for reading in lossy
                if reading.mask
            ),
        )
    ]


def _find_mixed(masked: Sequence[Reading], root: Path) -> tuple[list[Finding], list[Reading]]:
    """Find masks of another kind than most; return what was found, and those that are like most."""
    colored = [r for r in masked if r.mask and r.mask.kind == "color"]
    single = [r for r in masked if r.mask and r.mask.kind in ("ids", "palette")]
    if not colored or not single:
        return [], list(masked)
    few, name = (colored, "colours") if len(colored) < len(single) else (single, "ids")
    finding = Finding(
        "mixed_masks",
        Severity.ERROR,
        f"{agree(len(colored), 'mask', 'hold')} colours and {agree(len(single), 'mask', 'hold')} "
        f"ids, in one data set.",
        f"Convert the {len(few)} that hold {name} to the kind of the others.",
        len(few),
        list_examples(where_is(reading, root) for reading in few),
    )
    unlike = {reading.item.mask_path for reading in few}
    return [finding], [r for r in masked if r.item.mask_path not in unlike]
