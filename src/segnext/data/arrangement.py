"""A data set's pictures in their splits, before any mask is read."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segnext.data.containers.paths import is_file, is_folder
from segnext.data.data_yaml import DataYaml, read_data_yaml
from segnext.data.datasets.known_dataset import KnownDataset
from segnext.data.datasets.registry import DATASETS
from segnext.data.formats.registry import FORMATS, Format
from segnext.data.layout import Layout, find_layout
from segnext.data.splits import (
    DEFAULT_SHARES,
    GroupRule,
    Splits,
    assign_groups,
    describe_leaks,
    parse_group,
    split_by_hash,
)
from segnext.data.taxonomy import VOID_NAMES, Taxonomy, read_classes
from segnext.data.wrapping import unwrap
from segnext.errors import DataError, UsageError, describe_unknown

# Of the training groups, for folders that have no val.
CARVED_SHARE = 0.1


@dataclass(frozen=True)
class Arrangement:
    """Where the pictures and masks of a data set lie, and who goes to which split.

    Attributes:
        root: Folder or archive.
        layout: As its folders say.
        described: What its data.yaml says, if it has one.
        format: Name of its format or of the known data set; `None` for plain folders.
        splits: Items by split, with their groups.
        rule: How pictures were told to belong together, if at all.
        notes: Everything that was decided or is odd, a line each.
    """

    root: Path
    layout: Layout
    described: DataYaml | None
    format: str | None
    splits: Splits
    rule: GroupRule | None
    notes: list[str]

    def without_repeats(self) -> "Arrangement":
        """Return it with each picture once where splits such as trainval repeat others."""
        splits = {
            name: part for name, part in self.splits.items() if name not in self.layout.unions
        }
        known = {item.image_path for part in splits.values() for item in part}
        for name in self.layout.unions:
            part = tuple(item for item in self.splits[name] if item.image_path not in known)
            known |= {item.image_path for item in part}
            splits |= {name: part} if part else {}
        return replace(self, splits=splits)


def arrange(
    root: Path,
    *,
    group: str | None = None,
    split_seed: int = 0,
    shares: tuple[float, float, float] = DEFAULT_SHARES,
    format: str | None = None,
) -> Arrangement:
    """Find the pictures of a data set and their splits; see `segnext.data.open_folder`.

    Raises:
        DataError: The folder is missing, in no known layout, or its files contradict each other.
        UsageError: An argument is out of range, or the format unknown.
    """
    root = unwrap(root)
    described = _find_data_yaml(root)
    root = described.root if described else root
    found, layout = _find_layout(root, format, described)
    notes = [f"layout: {layout.description}", *layout.notes]
    rule = parse_group(group) if group else None
    splits = {split: assign_groups(items, rule) for split, items in layout.splits.items()}
    if layout.pool:
        splits = split_by_hash(assign_groups(layout.pool, rule), seed=split_seed, shares=shares)
        notes.append(f"no splits given: split by a hash with seed {split_seed}")
    elif "train" in splits and "val" not in splits:
        splits = _carve_val(splits, split_seed)
        notes.append(f"no val given: carved from train by a hash with seed {split_seed}")
    notes.append("splits: " + ", ".join(f"{split} {len(part)}" for split, part in splits.items()))
    parts = {split: part for split, part in splits.items() if split not in layout.unions}
    notes += describe_leaks(parts, rule)
    return Arrangement(root, layout, described, found, splits, rule, notes)


def read_declared(arranged: Arrangement, classes_file: Path | None = None) -> Taxonomy | None:
    """Read the classes that a data set declares; `None` where it declares none.

    Args:
        arranged: The data set; its notes take a line about classes that look like void.
        classes_file: Instead of `classes.txt` in a plain folder.

    Raises:
        DataError: The file that declares them is malformed.
    """
    described, notes = arranged.described, arranged.notes
    if classes_file is None and described and described.taxonomy:
        return described.taxonomy
    path = classes_file or arranged.root / "classes.txt"
    if classes_file is None and not is_file(path):
        return None
    taxonomy = read_classes(path)
    for index, name in enumerate(taxonomy.classes.names):
        if name.lower() in VOID_NAMES:
            notes.append(
                f"{path.name}: {name} counts as a class like others; --ignore-index {index} leaves "
                f"its pixels out"
            )
    return taxonomy


def _find_layout(
    root: Path, name: str | None, described: DataYaml | None
) -> tuple[str | None, Layout]:
    told = described.format if described else None
    if name is not None and told not in (None, name):
        msg = f"{root}: its data.yaml says format {told}, but {name} was asked for"
        raise UsageError(msg)
    name = name or told
    options = dict(described.options) if described else {}
    if name == "folder":
        return None, find_layout(root)
    if name is not None:
        known: dict[str, Format | KnownDataset] = {**FORMATS, **DATASETS}
        if name not in known:
            raise UsageError(describe_unknown("format", name, ["folder", *known]))
        return name, _read(known[name], root, options)
    if described:
        return None, described.layout
    if is_folder(root):
        entries: list[Format | KnownDataset] = [*DATASETS.values(), *FORMATS.values()]
        for entry in entries:
            if entry.detect(root):
                layout = _read(entry, root, options)
                layout.notes.insert(
                    0, f"looks like {entry.title}; --format folder reads it as a plain folder"
                )
                return entry.name, layout
    return None, find_layout(root)


def _read(entry: Format | KnownDataset, root: Path, options: Mapping[str, Any]) -> Layout:
    if not is_folder(root):
        msg = f"{root}: no such folder or archive; {entry.title} is read from one"
        raise DataError(msg)
    allowed = list(inspect.signature(entry.read).parameters)[1:]
    for option in options:
        if option not in allowed:
            kind = f"option of the format {entry.name}"
            raise UsageError(describe_unknown(kind, option, allowed))
    return entry.read(root, **options)


def _find_data_yaml(root: Path) -> DataYaml | None:
    if root.is_file() and root.suffix.lower() in (".yaml", ".yml"):
        return read_data_yaml(root)
    path = root / "data.yaml"
    return read_data_yaml(path) if is_file(path) else None


def _carve_val(splits: Splits, seed: int) -> Splits:
    carved = split_by_hash(splits["train"], seed=seed, shares=(1 - CARVED_SHARE, CARVED_SHARE, 0.0))
    return {**carved, **{name: part for name, part in splits.items() if name != "train"}}
