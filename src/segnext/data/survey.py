"""See from the mask files what they are, and what classes they hold where nobody declared any."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from segnext.classes import Classes, Color
from segnext.data.masks import FileMasks, Kind, pack_colors, read_stored, unpack_color
from segnext.data.statistics import spread_sample
from segnext.data.taxonomy import Taxonomy
from segnext.errors import DataError, list_some

SAMPLE = 64
MOST_FOUND_COLORS = 256
MOST_FOUND_ID = 1023


@dataclass(frozen=True)
class MaskSurvey:
    """What some masks of a data set hold.

    Attributes:
        kinds: Kind of each file.
        values: Grey values and palette indices found, those of grey RGB among them.
        colors: Colours found in RGB masks.
    """

    kinds: dict[Path, Kind]
    values: frozenset[int]
    colors: frozenset[Color]

    def of_kind(self, *kinds: Kind) -> list[Path]:
        """Return the files of some kinds."""
        return [path for path, kind in self.kinds.items() if kind in kinds]


def survey_masks(paths: Sequence[Path]) -> MaskSurvey:
    """Look at every one of the given masks.

    Raises:
        DataError: A file is no readable mask, or holds more colours than classes can have.
    """
    with ThreadPoolExecutor() as threads:
        found = list(threads.map(_survey_mask, paths))
    return MaskSurvey(
        {path: kind for path, (kind, _, _) in zip(paths, found, strict=True)},
        frozenset[int]().union(*(values for _, values, _ in found)),
        frozenset[Color]().union(*(colors for _, _, colors in found)),
    )


def build_reader(
    masks: Sequence[Path], declared: Taxonomy | None, ignored: Sequence[int]
) -> tuple[FileMasks, list[str]]:
    """Build the reader of a data set's masks, and say what was seen.

    Args:
        masks: Training masks; all are read where no classes are declared, else a spread sample.
        declared: The classes, where a file declares them.
        ignored: Mask values that count for nothing, besides 255.

    Returns:
        The reader, and one line for each thing that was decided.

    Raises:
        DataError: Kinds of masks are mixed, or no classes can be found in them.
    """
    survey = survey_masks(select_surveyed(masks, declared))
    return choose_reader(survey, len(masks), declared, ignored)


def select_surveyed(masks: Sequence[Path], declared: Taxonomy | None) -> list[Path]:
    """Return the masks that must be looked at: all of them where no classes are declared."""
    if declared is None:
        return list(masks)
    return [masks[index] for index in spread_sample(len(masks), SAMPLE)]


def choose_reader(
    survey: MaskSurvey, count: int, declared: Taxonomy | None, ignored: Sequence[int]
) -> tuple[FileMasks, list[str]]:
    """Build the reader that fits what was seen, as `build_reader` does.

    Args:
        survey: Of at least one mask.
        count: Number of training masks.
        declared: The classes, where a file declares them.
        ignored: Mask values that count for nothing, besides 255.

    Raises:
        DataError: Kinds of masks are mixed, or no classes can be found in them.
    """
    kind = _decide_kind(survey, declared)
    notes = [_describe_kind(kind, survey)]
    binary = kind == "ids" and _is_binary(survey.values, declared, ignored)
    taxonomy = declared or _discover(kind, survey, ignored, binary)
    classes = taxonomy.classes
    if declared is None:
        last = len(classes.names) - 1
        notes.append(
            f"classes: none declared, so {last + 1} were found in {count} masks: "
            f"{classes.names[0]} .. {classes.names[last]}; name them in classes.txt"
        )
        notes += _note_gaps(kind, survey.values, classes)
    if binary:
        classes = replace(classes, raw_to_train=((0, 0), (255, 1)))
        first, last_name = classes.label_names
        notes.append(f"masks hold only 0 and 255: 0 means {first}, 255 means {last_name}")
    if ignored:
        classes = classes.with_ignored(ignored)
    return FileMasks(kind, replace(taxonomy, classes=classes)), notes


def _survey_mask(path: Path) -> tuple[Kind, set[int], set[Color]]:
    kind, pixels = read_stored(path)
    if kind != "color":
        # Counting is several times faster than sorting a whole picture.
        values = set(np.flatnonzero(np.bincount(pixels[..., 0].ravel())).tolist())
        return kind, values, {(value,) * 3 for value in values} if kind == "grey" else set()
    packed = np.unique(pack_colors(pixels))
    if len(packed) > MOST_FOUND_COLORS:
        msg = f"{path}: has {len(packed):,} colours, so it is probably a photo or a lossy mask"
        raise DataError(msg)
    return kind, set(), {unpack_color(value) for value in packed.tolist()}


def _decide_kind(survey: MaskSurvey, declared: Taxonomy | None) -> Literal["ids", "color"]:
    colored, single = survey.of_kind("color"), survey.of_kind("ids", "palette")
    if colored and single:
        msg = (
            f"masks of two kinds: {list_some(colored, 2)} hold colours, {list_some(single, 2)} "
            f"hold ids; convert one kind to the other"
        )
        raise DataError(msg)
    if colored and declared and not declared.has_colors:
        msg = (
            f"{colored[0]}: is a colour mask, but the classes are declared without colours; "
            f"write `name r g b` in each line of classes.txt (or colors in data.yaml)"
        )
        raise DataError(msg)
    if colored:
        return "color"
    # Black and white alone may be colours of classes as well as ids; what was declared decides.
    palette = {*declared.classes.label_colors, *declared.void_colors} if declared else set()
    drawn = declared and declared.has_colors and not single and survey.colors <= palette
    return "color" if drawn else "ids"


def _describe_kind(kind: Literal["ids", "color"], survey: MaskSurvey) -> str:
    if kind == "color":
        return "masks: colours (RGB), each looked up exactly"
    words: dict[Kind, str] = {
        "ids": "grey values",
        "grey": "grey values stored as RGB",
        "palette": "palette indices",
    }
    return "masks: class ids as " + " and ".join(
        text for name, text in words.items() if survey.of_kind(name)
    )


def _is_binary(values: frozenset[int], declared: Taxonomy | None, ignored: Sequence[int]) -> bool:
    if values != {0, 255} or {0, 255} & set(ignored):
        return False
    return declared is None or (
        declared.classes.num_labels == 2 and not declared.classes.raw_to_train
    )


def _discover(
    kind: Literal["ids", "color"], survey: MaskSurvey, ignored: Sequence[int], binary: bool
) -> Taxonomy:
    if binary:
        return Taxonomy(Classes(("background", "foreground")))
    first = next(iter(survey.kinds))
    if kind == "color":
        return _discover_colors(survey.colors, first)
    ids = survey.values - {255} - set(ignored)
    if not ids or max(ids) == 0:
        only = ", ".join(map(str, sorted(survey.values)))
        msg = f"{first.parent}: all masks hold only the value {only}; there is nothing to learn"
        raise DataError(msg)
    if max(ids) > MOST_FOUND_ID:
        msg = (
            f"{first.parent}: masks hold values up to {max(ids)}; if these are classes, name all "
            f"of them in classes.txt or map them with label_mapping in data.yaml"
        )
        raise DataError(msg)
    return Taxonomy(Classes.numbered(max(ids) + 1))


def _discover_colors(colors: frozenset[Color], first: Path) -> Taxonomy:
    if not 2 <= len(colors) <= MOST_FOUND_COLORS:
        msg = (
            f"{first.parent}: masks hold {len(colors):,} colours in all, so they are probably "
            f"photos or lossy masks; save masks as PNG, or declare the colours in classes.txt"
        )
        raise DataError(msg)
    ordered = tuple(sorted(colors))
    names = tuple(f"color_{bytes(color).hex()}" for color in ordered)
    return Taxonomy(Classes(names, ordered), has_colors=True)


def _note_gaps(kind: str, values: frozenset[int], classes: Classes) -> list[str]:
    absent = sorted(set(range(classes.num_classes)) - values)
    if kind == "color" or not absent or classes.names[0] == "background":
        return []
    return [f"classes that no mask holds: {list_some(classes.names[value] for value in absent)}"]
