"""Plan the windows of large rasters that a model is trained and tested on.

Each block of windows goes to train, val or test as a whole, by a seeded hash.
"""

import os
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from segnext.classes import BACKGROUND, count_ids
from segnext.data.containers.map_windows import (
    MapSource,
    MapWindow,
    WindowsIndex,
    write_index,
)
from segnext.data.data_yaml import read_data_yaml
from segnext.data.formats.maps import FORMAT, INDEX
from segnext.data.formats.shape_classes import declare_shape_classes, number_labels
from segnext.data.grid import Grid, Patch
from segnext.data.map_blocks import PlannedWindow, plan_windows
from segnext.data.map_labels import (
    IGNORED_ID,
    RASTER_SUFFIXES,
    MapLabels,
    list_classes,
    open_labels,
)
from segnext.data.pairing import Item
from segnext.data.rasters import Raster, ValueRange, open_raster
from segnext.data.split_names import SPLIT_NAMES
from segnext.data.splits import DEFAULT_SHARES, split_by_hash
from segnext.errors import DataError, UsageError
from segnext.storage import write_atomically

# Below this share it is worth a line.
_LITTLE_COVERED = 0.9


@dataclass(frozen=True)
class MapRules:
    """How windows are taken from maps, and what their labels mean.

    Attributes:
        window: Side of a window, in pixels.
        block: Side of a block, in pixels: as many whole windows as fit; found out if not given.
        shares: Of train, val and test among the blocks.
        seed: Another seed gives another split.
        bands: As in `open_raster`.
        value_range: As in `open_raster`.
        layer: Of vector labels; the only one if not given.
        field: Of vector labels that holds the class.
        one_class: Name of the class that all polygons are of, instead of `field`.
        classes: Names of the ids 0, 1, 2 and so on of label rasters; `class_0` and so on of those
            that occur, if not given.
        unlabelled: What pixels are that no polygon covers: `background` or `ignore`.
    """

    window: int = 1024
    block: int | None = None
    shares: tuple[float, float, float] = DEFAULT_SHARES
    seed: int = 0
    bands: tuple[int, ...] | None = None
    value_range: ValueRange | None = None
    layer: str | None = None
    field: str = "class"
    one_class: str | None = None
    classes: tuple[str, ...] = ()
    unlabelled: str = "background"

    @property
    def told_field(self) -> str | None:
        """Field that holds the class; `None` where all polygons are of one."""
        return None if self.one_class else self.field

    def __post_init__(self) -> None:
        Grid(self.window, self.window)
        if self.block is not None and self.block < self.window:
            msg = f"a block of {self.block} px is smaller than its windows of {self.window} px"
            raise UsageError(msg)


@dataclass(frozen=True)
class PreparedMaps:
    """What was written.

    Attributes:
        data_yaml: To train on.
        windows: With the split and block of each.
        counts: Labelled pixels by window and raw id.
        titles: Class by raw id.
        left_out: Windows without any labelled pixel.
        covered: Share of the maps' pixels that lie in windows, those left out among them.
    """

    data_yaml: Path
    windows: tuple[MapWindow, ...]
    counts: Mapping[str, Mapping[int, int]]
    titles: Mapping[int, str]
    left_out: int
    covered: float

    def describe(self) -> list[str]:
        """Say what lies in which split: a class missing in one is not learned, or not scored."""
        lines = []
        for split in SPLIT_NAMES:
            inside = [window for window in self.windows if window.split == split]
            if not inside:
                continue
            counts = [self.counts[window.name] for window in inside]
            pixels = {
                name: sum(found.get(raw, 0) for found in counts)
                for raw, name in self.titles.items()
            }
            total = max(1, sum(pixels.values()))
            shares = ", ".join(f"{name} {count / total:.1%}" for name, count in pixels.items())
            blocks = len({window.block for window in inside})
            lines.append(f"{split}: {len(inside)} windows in {blocks} blocks; {shares}")
        if self.left_out:
            lines.append(f"{self.left_out} windows without any label left out")
        if self.covered < _LITTLE_COVERED:
            lines.append(
                f"{self.covered:.0%} of the maps lie in windows, the rest between them; smaller "
                f"windows cover more"
            )
        return lines


def prepare_maps(
    rasters: Sequence[Path],
    labels: Path,
    out: Path,
    rules: MapRules | None = None,
    *,
    on_window: Callable[[int, int], None] = lambda _done, _total: None,
) -> PreparedMaps:
    """List the windows of maps that have labels, in splits, and write `maps.windows` and data.yaml.

    Every label is looked at once; pixels are not copied.

    Args:
        rasters: Maps with the same bands.
        labels: Vector file or raster of ids for all maps, or a folder with one of the same name
            for each.
        out: Folder; made if missing.
        rules: Windows, blocks, classes.
        on_window: Called with windows looked at and in all.

    Raises:
        UsageError: An option does not fit the files, or segnext[geo] is not installed.
        DataError: A file cannot be read, no window is labelled, or there are too few blocks.
    """
    rules = rules or MapRules()
    path = out / "data.yaml"
    if path.is_file() and read_data_yaml(path).format != FORMAT.name:
        msg = f"{path}: describes other data; choose another --out"
        raise UsageError(msg)
    maps = [
        open_raster(raster, bands=rules.bands, value_range=rules.value_range)
        for raster in sorted(rasters)
    ]
    _check_maps(maps)
    sources = [_find_labels(labels, raster.path) for raster in maps]
    planned = list(plan_windows(maps, rules.window, rules.block))
    survey = _survey(maps, sources, planned, rules, on_window)
    kept = [number for number, counts in enumerate(survey.counts) if counts]
    if not any(raw in survey.names for counts in survey.counts for raw in counts):
        msg = f"{labels}: labels nothing in {maps[0].path}; do they lie in the same place?"
        raise DataError(msg)
    splits = _split([planned[number] for number in kept], rules)
    windows = tuple(
        MapWindow(plan.name, splits[plan.block], plan.block, plan.source, plan.place)
        for plan in (planned[number] for number in kept)
    )
    index = WindowsIndex(
        tuple(
            MapSource(
                _relative(raster.path, out), _relative(own, out), raster.bands, raster.value_range
            )
            for raster, own in zip(maps, sources, strict=True)
        ),
        windows,
        survey.names,
        rules.layer,
        rules.told_field,
        survey.unlabelled,
    )
    write_index(out / INDEX, index)
    if not path.is_file():
        text = "# Written by segnext data maps; merge and drop may be added.\n"
        text += yaml.safe_dump({"path": ".", "format": FORMAT.name}, sort_keys=False)
        write_atomically(path, text.encode())
    found = {plan.name: counts for plan, counts in zip(planned, survey.counts, strict=True)}
    return PreparedMaps(
        path,
        windows,
        {window.name: found[window.name] for window in windows},
        survey.titles,
        left_out=len(planned) - len(windows),
        covered=sum(plan.place.height * plan.place.width for plan in planned)
        / sum(raster.height * raster.width for raster in maps),
    )


@dataclass(frozen=True)
class _Survey:
    """What the labels of all windows hold.

    Attributes:
        names: Class by raw id, of the labels.
        titles: Class by raw id, with that of pixels that no polygon covers.
        unlabelled: As an index has it.
        counts: Labelled pixels of each window by raw id; empty where there are none.
    """

    names: dict[int, str]
    titles: dict[int, str]
    unlabelled: str
    counts: list[dict[int, int]]


def _survey(
    maps: Sequence[Raster],
    sources: Sequence[Path],
    planned: Sequence[PlannedWindow],
    rules: MapRules,
    on_window: Callable[[int, int], None],
) -> _Survey:
    """Look at the labels of every window."""
    vectors = _are_vectors(sources)
    names, titles, around = dict[int, str](), dict[int, str](), IGNORED_ID
    unlabelled = rules.unlabelled if vectors else "ignore"
    if vectors:
        names = _name_polygons(sources, rules)
        around = declare_shape_classes(names, str(sources[0]), unlabelled=unlabelled).background
        titles = names if unlabelled == "ignore" else {around: BACKGROUND, **names}
    ids = {name: raw for raw, name in names.items()}
    readers = [open_labels(path, rules.layer, rules.told_field, ids, around) for path in sources]
    counts = []
    for done, plan in enumerate(planned):
        on_window(done, len(planned))
        found = _count(maps[plan.source], readers[plan.source], plan.place)
        if unlabelled == "ignore":
            found.pop(around, None)
        counts.append(found)
    on_window(len(planned), len(planned))
    if not vectors:
        names = titles = _name_ids({raw for found in counts for raw in found}, rules, sources[0])
    return _Survey(names, titles, unlabelled, counts)


def _check_maps(maps: Sequence[Raster]) -> None:
    if not maps:
        msg = "no maps given: name one raster or more"
        raise UsageError(msg)
    names: dict[str, Raster] = {}
    for raster in maps:
        other = names.setdefault(raster.path.stem, raster)
        if other is not raster:
            msg = f"{other.path} and {raster.path} have one name; rename one of them"
            raise DataError(msg)
        if len(raster.bands) != len(maps[0].bands):
            msg = (
                f"{maps[0].path} has {len(maps[0].bands)} bands and {raster.path} "
                f"{len(raster.bands)}; choose as many of each by --bands"
            )
            raise DataError(msg)


def _find_labels(labels: Path, raster: Path) -> Path:
    if labels.is_file():
        return labels
    if not labels.is_dir():
        msg = f"{labels}: no such file or folder of labels"
        raise DataError(msg)
    found = sorted(path for path in labels.iterdir() if path.stem == raster.stem)
    found = [path for path in found if path.resolve() != raster.resolve()]
    if len(found) != 1:
        msg = f"{labels}: has {len(found)} files called {raster.stem}, the labels of {raster}"
        raise DataError(msg)
    return found[0]


def _are_vectors(labels: Sequence[Path]) -> bool:
    kinds = {path.suffix.lower() not in RASTER_SUFFIXES for path in labels}
    if len(kinds) > 1:
        msg = f"labels are polygons of some maps and rasters of others, such as {labels[0]}"
        raise DataError(msg)
    return kinds.pop()


def _name_polygons(labels: Sequence[Path], rules: MapRules) -> dict[int, str]:
    """Return the class of each raw id of polygons."""
    if rules.classes:
        msg = "--classes names the ids of label rasters; polygons have names in their --field"
        raise UsageError(msg)
    if rules.one_class is not None:
        return {1: rules.one_class}
    files = set(labels)
    return number_labels(
        sorted({name for path in files for name in list_classes(path, rules.layer, rules.field)})
    )


def _name_ids(found: Set[int], rules: MapRules, labels: Path) -> dict[int, str]:
    """Return the class of each id of label rasters."""
    if not rules.classes:
        return {raw: f"class_{raw}" for raw in sorted(found)}
    if found and max(found) >= len(rules.classes):
        msg = (
            f"{labels}: holds the id {max(found)}, but --classes names {len(rules.classes)}, from "
            f"0 to {len(rules.classes) - 1}"
        )
        raise DataError(msg)
    return dict(enumerate(rules.classes))


def _count(raster: Raster, labels: MapLabels, place: Patch) -> dict[int, int]:
    """Count the observed pixels of a window by raw id."""
    counts = count_ids(labels.read(raster, place)[raster.observed(place)][None])
    return {int(raw): int(counts[raw]) for raw in np.flatnonzero(counts)}


def _split(planned: Sequence[PlannedWindow], rules: MapRules) -> dict[str, str]:
    """Return the split of each block.

    Raises:
        DataError: There is one block alone.
    """
    if len({plan.block for plan in planned}) == 1:
        msg = (
            f"{planned[0].name}: all labelled windows lie in one block, which cannot be split into "
            f"train and val; give a smaller --window (now {rules.window} px) or --block, or more "
            f"maps"
        )
        raise DataError(msg)
    items = [Item(plan.name, Path(plan.name), None, plan.block) for plan in planned]
    splits = split_by_hash(items, seed=rules.seed, shares=rules.shares)
    return {item.group: split for split, part in splits.items() for item in part}


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # on another drive
        return path.resolve().as_posix()
