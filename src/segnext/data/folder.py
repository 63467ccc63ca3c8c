"""A folder of photos and masks as splits of (image, mask) pairs, with everything odd said."""

import inspect
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segnext.classes import Classes, Mask
from segnext.data.containers import is_file, is_folder
from segnext.data.data_yaml import DataYaml, read_data_yaml
from segnext.data.datasets.known_dataset import KnownDataset
from segnext.data.datasets.registry import DATASETS
from segnext.data.formats.registry import FORMATS, Format
from segnext.data.headers import ImageHeader, image_header
from segnext.data.images import Image, read_image
from segnext.data.layout import UNDERSTOOD, Layout, find_layout
from segnext.data.masks import MaskReader
from segnext.data.pairing import Item
from segnext.data.splits import (
    DEFAULT_SHARES,
    Splits,
    assign_groups,
    describe_leaks,
    parse_group,
    split_by_hash,
)
from segnext.data.statistics import spread_sample
from segnext.data.survey import build_reader
from segnext.data.taxonomy import VOID_NAMES, Taxonomy, read_classes
from segnext.errors import DataError, UsageError, describe_unknown

HEADER_SAMPLE = 64
# Of the training groups, for folders that have no val.
CARVED_SHARE = 0.1


@dataclass(frozen=True)
class FolderDataset:
    """One split: a sequence of images with their masks, which can be sent to worker processes.

    Attributes:
        split: Its name.
        items: Where each picture lies.
        channels: Of every image returned.
        reader: Turns mask files into train ids.
    """

    split: str
    items: tuple[Item, ...]
    channels: int
    reader: MaskReader

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.items)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return `image` (H, W, C), `mask` (H, W) of train ids and `name`.

        Raises:
            DataError: A file is broken, holds undeclared labels, or the sizes differ.
        """
        item = self.items[index]
        image, mask = self.image(index), self.mask(index)
        if image.shape[:2] != mask.shape:
            raise _size_error(item, image_header(item.image_path), mask)
        return {"image": image, "mask": mask, "name": item.name}

    @property
    def classes(self) -> Classes:
        """What the train ids mean."""
        return self.reader.classes

    def path(self, index: int) -> Path:
        """Return where an image lies."""
        return self.items[index].image_path

    def image(self, index: int) -> Image:
        """Read an image (H, W, C) without its mask."""
        return read_image(self.items[index].image_path, self.channels)

    def mask(self, index: int) -> Mask:
        """Read a mask (H, W) of train ids without its image.

        Raises:
            DataError: The split has no masks, or this one is broken or holds undeclared labels.
        """
        item = self.items[index]
        if item.mask_path is None:
            msg = f"the {self.split} split has no masks, such as for {item.image_path}"
            raise DataError(msg)
        return self.reader.read(item)

    def check(self, limit: int = 200) -> None:
        """Read masks spread over the split, so that a wrong one stops a run before it starts.

        Args:
            limit: How many at most.

        Raises:
            DataError: The first undeclared label, or mask of another size than its image.
        """
        with ThreadPoolExecutor() as threads:
            for _ in threads.map(self._check_item, spread_sample(len(self), limit)):
                pass

    def _check_item(self, index: int) -> None:
        mask, header = self.mask(index), image_header(self.items[index].image_path)
        if (header.height, header.width) != mask.shape:
            raise _size_error(self.items[index], header, mask)


@dataclass(frozen=True)
class Folder:
    """A data set on disk.

    Attributes:
        root: Its folder.
        classes: What the train ids mean.
        splits: Data set by name of the split.
        channels: Of every image.
        bits: 16 if any image seen has 16 bit, else 8.
        notes: Everything that was decided or is odd, a line each.
    """

    root: Path
    classes: Classes
    splits: dict[str, FolderDataset]
    channels: int
    bits: int
    notes: list[str]

    def dataset(self, split: str) -> FolderDataset:
        """Return a split.

        Raises:
            DataError: There is no such split; names those there are.
        """
        if split not in self.splits:
            msg = f"{self.root}: no split {split!r}; there are {', '.join(self.splits)}"
            raise DataError(msg)
        return self.splits[split]

    def choose_splits(self, *, train: str, val: str) -> "Folder":
        """Return the same data set, in which the named splits are called train and val.

        Raises:
            DataError: There is no such split.
        """
        chosen = {"train": self.dataset(train), "val": self.dataset(val)}
        others = {name: part for name, part in self.splits.items() if name not in chosen}
        return replace(self, splits={**chosen, **others})


def open_folder(
    root: Path | str,
    *,
    group: str | None = None,
    ignore_index: Sequence[int] = (),
    split_seed: int = 0,
    shares: tuple[float, float, float] = DEFAULT_SHARES,
    classes_file: Path | None = None,
    format: str | None = None,
) -> Folder:
    """Open a data set: a folder or archive in any known format, or a `data.yaml` about one.

    Args:
        root: The folder, .zip file or data.yaml; see `segnext.data.layout` for plain folders.
        group: Regular expression or .csv file that tells which pictures belong together.
        ignore_index: Mask values that count for nothing, besides 255.
        split_seed: For folders without splits: another seed gives another split.
        shares: For folders without splits: of train, val and test.
        classes_file: Instead of `classes.txt` in a plain folder.
        format: Name of a format or of a known data set; `folder` for plain folders; found out
            if not given.

    Raises:
        DataError: The folder is missing, in no known layout, or its files contradict each other.
        UsageError: An argument is out of range, or the format unknown.
    """
    root = Path(root)
    described = _find_data_yaml(root)
    root = described.root if described else root
    layout = _find_layout(root, format, described)
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
    notes += describe_leaks(splits, rule)
    reader: MaskReader
    seen: list[str] = []
    if layout.masks is not None:
        reader = layout.masks
    else:
        declared = _read_declared(root, described, classes_file, notes)
        ignored = (*ignore_index, *(described.ignore_index if described else ()))
        reader, seen = build_reader(_training_masks(splits, root), declared, ignored)
    reader = _relabel(reader, described, ignore_index)
    channels, bits, pixels = _survey_images([item for part in splits.values() for item in part])
    return Folder(
        root=root,
        classes=reader.classes,
        splits={name: FolderDataset(name, part, channels, reader) for name, part in splits.items()},
        channels=channels,
        bits=bits,
        notes=[*notes, *seen, *pixels],
    )


def _find_layout(root: Path, name: str | None, described: DataYaml | None) -> Layout:
    told = described.format if described else None
    if name is not None and told not in (None, name):
        msg = f"{root}: its data.yaml says format {told}, but {name} was asked for"
        raise UsageError(msg)
    name = name or told
    options = dict(described.options) if described else {}
    if name == "folder":
        return find_layout(root)
    if name is not None:
        known: dict[str, Format | KnownDataset] = {**FORMATS, **DATASETS}
        if name not in known:
            raise UsageError(describe_unknown("format", name, ["folder", *known]))
        return _read(known[name], root, options)
    if described:
        return described.layout
    if is_folder(root):
        entries: list[Format | KnownDataset] = [*DATASETS.values(), *FORMATS.values()]
        for entry in entries:
            if entry.detect(root):
                layout = _read(entry, root, options)
                layout.notes.insert(
                    0, f"looks like {entry.title}; --format folder reads it as a plain folder"
                )
                return layout
    return find_layout(root)


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


def _relabel(
    reader: MaskReader, described: DataYaml | None, ignore_index: Sequence[int]
) -> MaskReader:
    classes = reader.classes
    if ignore_index:
        classes = classes.with_ignored(ignore_index)
    if described:
        classes = described.relabel(classes)
    return reader if classes == reader.classes else reader.with_classes(classes)


def _find_data_yaml(root: Path) -> DataYaml | None:
    if root.is_file() and root.suffix.lower() in (".yaml", ".yml"):
        return read_data_yaml(root)
    path = root / "data.yaml"
    return read_data_yaml(path) if is_file(path) else None


def _carve_val(splits: Splits, seed: int) -> Splits:
    carved = split_by_hash(splits["train"], seed=seed, shares=(1 - CARVED_SHARE, CARVED_SHARE, 0.0))
    return {**carved, **{name: part for name, part in splits.items() if name != "train"}}


def _read_declared(
    root: Path, described: DataYaml | None, classes_file: Path | None, notes: list[str]
) -> Taxonomy | None:
    if classes_file is None and described and described.taxonomy:
        return described.taxonomy
    path = classes_file or root / "classes.txt"
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


def _training_masks(splits: Splits, root: Path) -> list[Path]:
    """Return the masks that decide about kind and classes: of train, else of all splits."""
    every = [item for part in splits.values() for item in part]
    for items in (splits.get("train", ()), every):
        masks = [item.mask_path for item in items if item.mask_path]
        if masks:
            return masks
    msg = f"{root}: there are images but no masks; {UNDERSTOOD}"
    raise DataError(msg)


def _survey_images(items: Sequence[Item]) -> tuple[int, int, list[str]]:
    """Return channels, bits, and what to say about them, from a spread sample of headers."""
    paths = [items[index].image_path for index in spread_sample(len(items), HEADER_SAMPLE)]
    with ThreadPoolExecutor() as threads:
        headers = dict(zip(paths, threads.map(image_header, paths), strict=True))
    example = {header.channels: path for path, header in headers.items()}
    channels, bits = max(example), max(header.bits for header in headers.values())
    if len(example) > 1 and set(example) != {1, 3}:
        counts = " and ".join(f"{path} ({count})" for count, path in sorted(example.items())[:2])
        msg = f"images differ in their number of channels: {counts}; make them alike"
        raise DataError(msg)
    notes = []
    if len(example) > 1:
        notes.append(f"images: some are grey, such as {example[1]}; repeated to 3 channels")
    if bits == 16:
        mixed = any(header.bits == 8 for header in headers.values())
        also = ", 8-bit values by 255 (both are there)" if mixed else ""
        notes.append(f"images: 16-bit values are divided by 65535{also}")
    return channels, bits, notes


def _size_error(item: Item, header: ImageHeader, mask: Mask) -> DataError:
    height, width = mask.shape
    turned = header.orientation > 1 and header.stored_size == (width, height)
    hint = (
        f"the mask looks drawn on the unrotated picture (EXIF orientation {header.orientation})"
        if turned
        else "draw the mask on the picture's own pixels"
    )
    return DataError(
        f"{item.mask_path}: {width}x{height} pixels, but its image {item.image_path} has "
        f"{header.width}x{header.height}; {hint}"
    )
