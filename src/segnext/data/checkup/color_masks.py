"""Masks that are drawn in colours: which ones no class has, and what they probably mean."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from segnext.classes import Classes, Color
from segnext.data.arrangement import Arrangement
from segnext.data.checkup.finding import Finding, Severity, agree, count_of, list_examples, percent
from segnext.data.checkup.id_masks import Diagnosis, where_is
from segnext.data.checkup.proposal import VOID_ORDER, LabelMap
from segnext.data.checkup.readings import Reading, ValueCounts
from segnext.data.datasets.registry import DATASETS
from segnext.data.datasets.voc_colors import voc_colors
from segnext.data.masks import unpack_color
from segnext.data.survey import MOST_FOUND_COLORS
from segnext.data.taxonomy import Taxonomy, describe_color
from segnext.errors import list_some

# Pascal VOC paints the borders of things in this.
_VOC_VOID: Color = (224, 224, 192)
# Drawing with smooth edges leaves many colours of a few pixels each.
_STRAY_SHARE, _FEWEST_COLORS = 1e-4, 8


def diagnose_colors_without_names(found: ValueCounts, declared: Taxonomy, masks: int) -> Diagnosis:
    """Propose colours for classes that were declared without any."""
    colors = {unpack_color(value) for value in found.pixels}
    listed = _list_colors(found)
    finding = Finding(
        "rgb_masks",
        Severity.ERROR,
        f"Masks are drawn in {len(colors)} colours, but the {declared.classes.num_classes} classes "
        f"are declared without colours.",
        "Give every class its colour, as in the proposed label map.",
        masks,
        listed,
    )
    return [finding], _match_colors(colors, declared.classes)


def _match_colors(colors: set[Color], classes: Classes) -> list[LabelMap]:
    count = classes.num_classes
    palettes = [("the colours are Pascal VOC's, in the order of ids", voc_colors(count))]
    palettes += [
        (f"the colours are those of {entry.title}, in their order", entry.classes.colors)
        for entry in DATASETS.values()
        if entry.classes.num_classes == count
    ]
    for because, palette in palettes:
        for void in ((), (_VOC_VOID,), ((0, 0, 0),)):
            if colors <= {*palette, *void} and not {*palette} & {*void}:
                named = Classes(classes.names, palette)
                return [LabelMap(because, Taxonomy(named, has_colors=True, void_colors=void))]
    if not 2 <= len(colors) <= MOST_FOUND_COLORS:
        return []
    ordered = tuple(sorted(colors))
    named = Classes(tuple(f"color_{bytes(color).hex()}" for color in ordered), ordered)
    because = (
        "each colour is a class; rename color_... to what the colour shows, and to void where it "
        "counts for nothing"
    )
    return [LabelMap(because, Taxonomy(named, has_colors=True))]


def report_colors_for_ids(readings: Sequence[Reading], arranged: Arrangement) -> list[Finding]:
    """Say which masks are drawn in colours where those of the data set hold ids."""
    colored = [r for r in readings if r.mask and r.mask.kind == "color"]
    known = DATASETS.get(arranged.format or "")
    whose = f"those of {known.title}" if known else "the other masks"
    remedy = "Convert them to the kind of the others."
    if known:
        remedy = (
            f"Copy the masks of {known.title} again, or convert these to the ids that segnext data "
            f"classes {known.name} shows; masks of your own are read with --format folder."
        )
    return [
        Finding(
            "rgb_masks",
            Severity.ERROR,
            f"{agree(len(colored), 'mask', 'are')} drawn in colours, but {whose} hold ids.",
            remedy,
            len(colored),
            list_examples(where_is(reading, arranged.root) for reading in colored),
        )
    ]


def diagnose_strange_colors(
    readings: Sequence[Reading], taxonomy: Taxonomy, strange: Mapping[int, int], root: Path
) -> Diagnosis:
    """Say which colours no class has, and which declared one is nearest to each."""
    guilty = [
        r for r in readings if r.mask and not strange.keys().isdisjoint(r.mask.values.tolist())
    ]
    order = sorted(strange, key=lambda value: -strange[value])
    lines = [_describe_nearest(value, strange[value], taxonomy.classes) for value in order]
    maps = []
    room = len(VOID_ORDER) - len(taxonomy.void_colors)
    if len(order) <= room and taxonomy.has_colors:
        void = (*taxonomy.void_colors, *map(unpack_color, order))
        because = f"{list_some(describe_color(unpack_color(v)) for v in order)} count for nothing"
        maps.append(LabelMap(because, replace(taxonomy, void_colors=void)))
    finding = Finding(
        "undeclared_colors",
        Severity.ERROR,
        f"{agree(len(guilty), 'mask', 'hold')} {count_of(len(order), 'colour')} that no class has: "
        f"{'; '.join(lines[:3])}.",
        "Add a line for each to classes.txt, named void where it counts for nothing."
        if maps
        else "So many colours come from smooth edges or lossy compression: export as PNG without.",
        len(guilty),
        list_examples([*lines, *(where_is(reading, root) for reading in guilty)]),
    )
    return [finding], maps


def _describe_nearest(value: int, pixels: int, classes: Classes) -> str:
    color = np.array(unpack_color(value))
    distances = np.abs(np.array(classes.label_colors) - color).max(axis=1)
    label = int(distances.argmin())
    near = describe_color(classes.label_colors[label])
    return (
        f"{describe_color(unpack_color(value))}, {pixels:,} pixels; nearest is "
        f"{classes.label_names[label]}, {near}, {int(distances[label])} off"
    )


def find_stray_colors(found: ValueCounts) -> list[Finding]:
    """Find colours of very few pixels among classes that nobody declared."""
    every = found.pixels.total()
    stray = [value for value, count in found.pixels.items() if count < _STRAY_SHARE * every]
    if len(found.pixels) < _FEWEST_COLORS or 2 * len(stray) < len(found.pixels):
        return []
    held = percent(sum(found.pixels[value] for value in stray) / every)
    return [
        Finding(
            "stray_colors",
            Severity.WARNING,
            f"{len(stray)} of the {len(found.pixels)} colours cover {held} of the pixels together: "
            f"edges were drawn smoothly, and each such colour would become a class.",
            "Export masks without anti-aliasing, or declare the true colours in classes.txt.",
            len(stray),
            _list_colors(found),
        )
    ]


def _list_colors(found: ValueCounts) -> tuple[str, ...]:
    every = max(1, found.pixels.total())
    return list_examples(
        f"{describe_color(unpack_color(value))}: {percent(count / every)} of the pixels, in "
        f"{count_of(found.masks[value], 'mask')}"
        for value, count in found.pixels.most_common()
    )
