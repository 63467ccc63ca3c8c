"""A folder of photos and masks as splits of (image, mask) pairs, with everything odd said."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segnext.classes import Classes, Mask
from segnext.data.arrangement import arrange, read_declared
from segnext.data.data_yaml import DataYaml
from segnext.data.headers import ImageHeader, image_header
from segnext.data.images import Image, read_image
from segnext.data.layout import UNDERSTOOD
from segnext.data.masks import MaskReader
from segnext.data.pairing import Item
from segnext.data.splits import DEFAULT_SHARES, Splits
from segnext.data.statistics import spread_sample
from segnext.data.survey import build_reader
from segnext.errors import DataError

HEADER_SAMPLE = 64


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

    @property
    def shards(self) -> tuple[str, ...]:
        """Which shard each image lies in, for the order of training; empty for none."""
        return tuple(item.shard for item in self.items)

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
            for _ in threads.map(self.checked_mask, spread_sample(len(self), limit)):
                pass

    def checked_mask(self, index: int) -> Mask:
        """Read a mask (H, W) like `mask`, and hold its size against the header of its image.

        Raises:
            DataError: As `mask`, or the sizes differ.
        """
        mask, header = self.mask(index), image_header(self.items[index].image_path)
        if (header.height, header.width) != mask.shape:
            raise _size_error(self.items[index], header, mask)
        return mask


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
        format: Name of its format or of the known data set; `None` for plain folders.
        unions: Splits that share pictures with others on purpose, such as trainval.
    """

    root: Path
    classes: Classes
    splits: dict[str, FolderDataset]
    channels: int
    bits: int
    notes: list[str]
    format: str | None = None
    unions: tuple[str, ...] = ()

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

        Other splits stay, but for those that repeat pictures of train or val on purpose.

        Raises:
            DataError: There is no such split.
        """
        chosen = {"train": self.dataset(train), "val": self.dataset(val)}
        taken = {*chosen, *self.unions}
        others = {name: part for name, part in self.splits.items() if name not in taken}
        return replace(self, splits={**chosen, **others}, unions=())


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
    arranged = arrange(Path(root), group=group, split_seed=split_seed, shares=shares, format=format)
    root, described, splits = arranged.root, arranged.described, arranged.splits
    notes = arranged.notes
    reader: MaskReader
    seen: list[str] = []
    if arranged.layout.masks is not None:
        reader = arranged.layout.masks
    else:
        declared = read_declared(arranged, classes_file)
        ignored = (*ignore_index, *(described.ignore_index if described else ()))
        reader, seen = build_reader(training_masks(splits, root), declared, ignored)
    reader = relabel_masks(reader, described, ignore_index)
    channels, bits, pixels = _survey_images([item for part in splits.values() for item in part])
    return Folder(
        root=root,
        classes=reader.classes,
        splits={name: FolderDataset(name, part, channels, reader) for name, part in splits.items()},
        channels=channels,
        bits=bits,
        notes=[*notes, *seen, *pixels],
        format=arranged.format,
        unions=arranged.layout.unions,
    )


def relabel_masks(
    reader: MaskReader, described: DataYaml | None, ignore_index: Sequence[int]
) -> MaskReader:
    """Return a reader that ignores what is to be ignored and obeys the data.yaml."""
    classes = reader.classes
    if ignore_index:
        classes = classes.with_ignored(ignore_index)
    if described:
        classes = described.relabel(classes)
    return reader if classes == reader.classes else reader.with_classes(classes)


def training_masks(splits: Splits, root: Path) -> list[Path]:
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
