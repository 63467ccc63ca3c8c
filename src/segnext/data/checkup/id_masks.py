"""Masks that hold ids: values that no class has, and what they probably mean."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from segnext.classes import Classes
from segnext.data.checkup.finding import (
    Finding,
    Severity,
    count_of,
    list_examples,
    percent,
    shorten,
)
from segnext.data.checkup.proposal import LabelMap, map_labels
from segnext.data.checkup.readings import MaskReading, Reading, ValueCounts
from segnext.data.datasets.registry import DATASETS
from segnext.data.taxonomy import Taxonomy
from segnext.errors import list_some

# More undeclared values than this are no slips but grey levels.
MOST_SLIPS = 16
# A label of void borders occurs in most pictures; a class of things need not.
VOID_IMAGE_SHARE = 0.5
# How masks of 0 and 255 are read where two labels are all there is.
_BLACK_AND_WHITE = ((0, 0), (255, 1))

Table = dict[int, int | None]
Diagnosis = tuple[list[Finding], list[LabelMap]]


def accepted_values(classes: Classes) -> Table:
    """Return what each declared mask value means: a train id, or `None` for ignored."""
    table: Table = dict(classes.raw_to_train) or {
        value: value for value in range(classes.num_labels)
    }
    table.setdefault(classes.ignore_index, None)
    return table


def diagnose_strange_ids(
    readings: Sequence[Reading],
    taxonomy: Taxonomy,
    strange: Mapping[int, int],
    root: Path,
    *,
    declared: bool,
) -> Diagnosis:
    """Say which values no class has, and what would explain all that was found.

    Args:
        readings: Of masks that hold ids.
        taxonomy: The classes as they are read now.
        strange: Undeclared values, with the number of their pixels.
        root: The data set's folder, for the examples.
        declared: The classes are declared, not found in the training masks.
    """
    masks = [reading.mask for reading in readings if reading.mask]
    found = ValueCounts.of(masks)
    guilty = [
        r for r in readings if r.mask and not strange.keys().isdisjoint(r.mask.values.tolist())
    ]
    title, maps = _explain(found, taxonomy, sorted(strange), len(masks), declared=declared)
    values = ", ".join(
        f"{value} ({count_of(found.pixels[value], 'pixel')} in "
        f"{count_of(found.masks[value], 'mask')})"
        for value in sorted(strange, key=lambda value: -strange[value])[:5]
    )
    more = f" and {len(strange) - 5} other values" if len(strange) > 5 else ""
    remedy = (
        "Paste the proposed label map if it says what the values mean."
        if maps
        else "Export the masks again as PNG of class ids; resize them by nearest neighbour only."
    )
    return [
        Finding(
            "undeclared_values",
            Severity.ERROR,
            f"{title}. Declared by no class: {values}{more}.",
            remedy,
            len(guilty),
            list_examples(_describe_strange(reading, strange, root) for reading in guilty),
        )
    ], maps


def _is_plain(classes: Classes) -> bool:
    """Tell whether mask values are train ids, some of them ignored."""
    return all(train in (raw, None) for raw, train in classes.raw_to_train)


def _describe_strange(reading: Reading, strange: Mapping[int, int], root: Path) -> str:
    assert reading.mask is not None
    pairs = zip(reading.mask.values.tolist(), reading.mask.counts.tolist(), strict=True)
    held = [f"{value} ({count:,} pixels)" for value, count in pairs if value in strange]
    return f"{where_is(reading, root)}: {list_some(held, 4)}"


def where_is(reading: Reading, root: Path) -> str:
    """Return where a mask lies, seen from the data set's folder."""
    return shorten(reading.item.mask_path, root)


def _explain(
    found: ValueCounts, taxonomy: Taxonomy, strange: list[int], masks: int, *, declared: bool
) -> tuple[str, list[LabelMap]]:
    classes = taxonomy.classes
    labels = classes.num_labels
    void = {raw for raw, train in accepted_values(classes).items() if train is None}
    values = [value for value in sorted(found.pixels) if value not in void]
    span = f"{classes.label_names[0]} to {classes.label_names[-1]}"
    names = f"{labels} labels are {'declared' if declared else 'in train'} ({span})"
    if declared and _is_plain(classes):
        guesses = (
            _fit_shifted(values, taxonomy)
            or _fit_one_too_many(values, taxonomy, found, masks)
            or _fit_stretched(sorted({*values, *(found.pixels.keys() & {255})}), taxonomy)
        )
        # Whoever has the names of a known data set may still count its ids in another way.
        explained = _drop_equal([*_fit_known(values, taxonomy), *guesses], classes)
        if explained:
            span = f"Mask values run from {values[0]} to {values[-1]}, and {names}"
            return f"{span}: {explained[0].because}", explained
    if classes.raw_to_train == _BLACK_AND_WHITE and strange == [1]:
        because = "1 and 255 mean the same"
        span = f"Some masks hold 0 and 255, others 0 and 1, and {names}: {because}"
        return span, [_with_table(because, taxonomy, {0: 0, 1: 1, 255: 1})]
    if len(strange) <= MOST_SLIPS:
        because = f"{list_some(strange)} counts for nothing"
        return f"Some mask values mean nothing, where {names}", [
            LabelMap(because, ignored=tuple(strange))
        ]
    return (
        f"Masks hold {len(found.pixels)} different values, and {names}: they look like grey "
        f"photos, or like masks that were resized with interpolation or saved as JPEG once"
    ), []


def _fit_known(values: list[int], taxonomy: Taxonomy) -> list[LabelMap]:
    for entry in DATASETS.values():
        table = dict(entry.classes.raw_to_train)
        same = entry.classes.num_labels == taxonomy.classes.num_labels
        if same and table and set(values) <= table.keys() and _share_names(entry.classes, taxonomy):
            because = f"these are the raw ids of {entry.title}"
            return [_with_table(because, taxonomy, table)]
    return []


def _share_names(known: Classes, taxonomy: Taxonomy) -> bool:
    """Tell whether most classes are named, in their order, as those of a known data set."""
    pairs = zip(taxonomy.classes.label_names, known.label_names, strict=True)
    same = sum(ours.lower() == theirs.lower() for ours, theirs in pairs)
    return 4 * same >= 3 * known.num_labels


def _fit_shifted(values: list[int], taxonomy: Taxonomy) -> list[LabelMap]:
    labels = taxonomy.classes.num_labels
    if not (values[0] >= 1 and values[-1] == labels):
        return []
    because = f"they are shifted by one: 1 is {taxonomy.classes.label_names[0]}"
    return [_with_table(because, taxonomy, _shift(labels))]


def _fit_one_too_many(
    values: list[int], taxonomy: Taxonomy, found: ValueCounts, masks: int
) -> list[LabelMap]:
    labels, first = taxonomy.classes.num_labels, taxonomy.classes.label_names[0]
    if not (values[0] == 0 and values[-1] == labels):
        return []
    last_is_void = LabelMap(f"{labels} is void, and 0 is {first}", ignored=(labels,))
    because = f"0 is void, and 1 is {first}"
    first_is_void = _with_table(because, taxonomy, _shift(labels))
    shares = [found.masks[value] / max(1, masks) for value in (0, labels)]
    # Where the last value is rare and the first is everywhere, the first is the odd one out.
    last_is_rare = shares[1] < VOID_IMAGE_SHARE <= shares[0]
    return [first_is_void, last_is_void] if last_is_rare else [last_is_void, first_is_void]


def _fit_stretched(values: list[int], taxonomy: Taxonomy) -> list[LabelMap]:
    labels = taxonomy.classes.num_labels
    close = any(after - before == 1 for before, after in pairwise(values))
    if len(values) not in (labels, labels + 1) or close:
        return []
    void = values[0] if len(values) > labels else None
    classes = [value for value in values if value != void]
    table: Table = {value: label for label, value in enumerate(classes)}
    because = "ids were spread over the grey values, in the order of the classes"
    if void is not None:
        table[void], because = None, f"{because}, with {void} for void"
    return [_with_table(because, taxonomy, table)]


def _drop_equal(maps: list[LabelMap], classes: Classes) -> list[LabelMap]:
    """Leave out label maps that mean the same as one before them."""
    kept: dict[tuple[tuple[int, int | None], ...], LabelMap] = {}
    for label_map in maps:
        table = accepted_values(label_map.taxonomy.classes if label_map.taxonomy else classes)
        table |= dict.fromkeys(label_map.ignored)
        kept.setdefault(tuple(sorted(table.items())), label_map)
    return list(kept.values())


def _shift(labels: int) -> Table:
    return {0: None, **{value + 1: value for value in range(labels)}}


def _with_table(because: str, taxonomy: Taxonomy, table: Table) -> LabelMap:
    classes = map_labels(taxonomy.classes, table)
    return LabelMap(because, replace(taxonomy, classes=classes))


def diagnose_black_and_white(
    readings: Sequence[Reading], classes: Classes, root: Path
) -> Diagnosis:
    """Find masks of 0 and 255 that would be read as nothing but the first class and void."""
    masks = [reading.mask for reading in readings if reading.mask]
    found = ValueCounts.of(masks)
    if not _is_plain(classes) or 255 not in found.pixels:
        return [], []
    if set(found.pixels) == {0, 255} and classes.num_labels > 2:
        finding = Finding(
            "black_and_white",
            Severity.ERROR,
            f"All masks hold only 0 and 255, but {classes.num_labels} classes are declared: "
            f"everything would be {classes.names[0]} or ignored.",
            "Declare one class, or two, if black and white is all there is; else export class ids.",
            len(masks),
        )
        two = Classes(("background", "foreground"), raw_to_train=_BLACK_AND_WHITE)
        return [finding], [LabelMap("0 is background and 255 is foreground", Taxonomy(two))]
    white = [r for r in readings if r.mask and {0, 255} == set(r.mask.values.tolist())]
    ones = [r for r in readings if r.mask and 1 in r.mask.values]
    both = [r for r in ones if r.mask and 255 in r.mask.values]
    if classes.num_labels != 2 or not white or not ones or both:
        return [], []
    table: Table = {0: 0, 1: 1, 255: 1}
    finding = Finding(
        "two_scales",
        Severity.WARNING,
        f"{count_of(len(white), 'mask')} of 0 and 255 among {count_of(len(ones), 'mask')} of 0 "
        f"and 1: 255 is ignored, so {classes.label_names[1]} would be missed in them.",
        "If 255 means the same as 1, paste the proposed label map.",
        len(white),
        list_examples(where_is(reading, root) for reading in white),
    )
    taxonomy = Taxonomy(map_labels(classes, table))
    return [finding], [LabelMap("1 and 255 mean the same", taxonomy)]


def diagnose_gaps(found: ValueCounts, classes: Classes, ignored: Sequence[int]) -> Diagnosis:
    """Find ids that never occur among classes that nobody declared."""
    present = sorted(found.pixels.keys() - {classes.ignore_index, *ignored})
    absent = [value for value in range(classes.num_labels) if value not in present]
    if not absent or len(present) < 2:
        return [], []
    names = tuple(f"class_{value}" for value in present)
    table: Table = {value: label for label, value in enumerate(present)}
    because = f"only the {len(present)} ids that occur are classes"
    finding = Finding(
        "gaps_in_ids",
        Severity.WARNING,
        f"No classes are declared, and {len(absent)} of the {classes.num_labels} ids up to "
        f"{present[-1]} occur in no mask ({list_some(absent)}): they would be learned for nothing.",
        "Name the classes in classes.txt, or paste the proposed label map and rename them there.",
    )
    return [finding], [
        LabelMap(because, Taxonomy(Classes(names, raw_to_train=tuple(table.items()))))
    ]


def diagnose_no_classes(found: ValueCounts, masks: Sequence[MaskReading]) -> Diagnosis:
    """Say why no classes can be found in masks that hold ids."""
    values = sorted(found.pixels.keys() - {255})
    if len(values) < 2:
        only = f"the value {values[0]}" if values else "void (255)"
        every = found.pixels.total()
        held = percent(found.pixels[values[0]] / every) if values else "100 %"
        title = f"All {len(masks)} masks hold only {only} ({held} of the pixels): nothing to learn."
        return [
            Finding(
                "one_value",
                Severity.ERROR,
                title,
                "Check that these are the masks, and that the export wrote class ids.",
                len(masks),
            )
        ], []
    classes = Classes(
        tuple(f"class_{value}" for value in values),
        raw_to_train=tuple((value, label) for label, value in enumerate(values)),
    )
    many = len(values) > 256
    finding = Finding(
        "values_too_large",
        Severity.ERROR,
        f"Masks hold {len(values):,} different values up to {values[-1]}, and no classes are "
        f"declared.",
        "These look like instance ids or heights; export class ids."
        if many
        else "Name the classes and map their values in data.yaml, as in the proposed label map.",
        len(masks),
    )
    because = f"each of the {len(values)} values is a class"
    return [finding], [] if many else [LabelMap(because, Taxonomy(classes))]
