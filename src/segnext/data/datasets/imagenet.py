"""ImageNet-1k (ILSVRC 2012) in folders: photos with one label each, to pretrain an encoder on.

    train/n01440764/n01440764_10026.JPEG        1,281,167 photos in 1,000 folders
    val/n01440764/ILSVRC2012_val_00000293.JPEG  50,000 photos

A folder is called by the class's WordNet id. Classes are numbered in the order of these ids, which
is the usual 0 to 999. A part of it, such as 20 classes, is numbered by the same rule among the
folders that are there.

There are no masks, so this is no `KnownDataset`: it is read by `read_imagenet`.

Terms: non-commercial research, see https://image-net.org/download. The archive of val is flat; its
photos go into folders by the list LOC_val_solution.csv, which the download at Kaggle holds.
"""

import csv
import functools
import io
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segnext.data.containers.paths import is_folder, list_folder
from segnext.data.images import IMAGE_SUFFIXES
from segnext.errors import DataError, list_some
from segnext.storage import write_atomically

COUNTS = {"train": 1_281_167, "val": 50_000}
CLASS_LIST = "classes.txt"


@dataclass(frozen=True)
class ImageSplit:
    """Photos of one split with their labels; compact, since there are a million.

    Attributes:
        root: Folder of the split.
        files: Paths below it, such as `n01440764/n01440764_10026.JPEG`.
        labels: Position of each photo's class in `ImageFolder.wnids`, (N,) int16.
    """

    root: Path
    files: tuple[str, ...]
    labels: npt.NDArray[np.int16]

    def __len__(self) -> int:
        """Return the number of photos."""
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Path, int]:
        """Return where a photo lies, and its label."""
        return self.root / self.files[index], int(self.labels[index])


@dataclass(frozen=True)
class ImageFolder:
    """Photos in folders that are called by their class.

    Attributes:
        wnids: WordNet ids of the classes, in the order of labels.
        names: What people call them.
        splits: `train` and `val`, as far as they are there.
    """

    wnids: tuple[str, ...]
    names: tuple[str, ...]
    splits: dict[str, ImageSplit]

    def format_classes(self) -> str:
        """Return the list of classes: a line each, WordNet id and name, in the order of labels."""
        pairs = zip(self.wnids, self.names, strict=True)
        return "".join(f"{wnid} {name}\n" for wnid, name in pairs)


@functools.cache
def read_synsets() -> dict[str, str]:
    """Return the name of each of the 1,000 classes by its WordNet id, in the order of labels."""
    table = resources.files("segnext.data.datasets") / "class_tables" / "imagenet.csv"
    rows = csv.DictReader(io.StringIO(table.read_text(encoding="utf-8")))
    return {row["wnid"]: row["name"] for row in rows}


def read_imagenet(root: Path, *, partial: bool = False) -> ImageFolder:
    """Find the photos of ImageNet-1k and check their classes.

    Args:
        root: Folder or archive that holds `train` and `val`, or only one of them.
        partial: Take any of the 1,000 classes and any number of photos; else all have to be there.

    Raises:
        DataError: A split is missing or flat, a folder is no class of ImageNet-1k or empty, a class
            is missing, or the number of photos is not the official one.
    """
    found = {split: root / split for split in COUNTS if is_folder(root / split)}
    if not found or (len(found) < len(COUNTS) and not partial):
        missing = next(split for split in COUNTS if split not in found)
        msg = f"{root}: no folder {missing} with a folder for each class, such as n01440764"
        raise DataError(msg)
    known = read_synsets()
    classes = {split: _list_classes(folder, known) for split, folder in found.items()}
    every = {wnid for wnids in classes.values() for wnid in wnids}
    wnids = tuple(sorted(every)) if partial else tuple(known)
    for split, there in classes.items():
        missing_ids = sorted(set(wnids) - set(there))
        if missing_ids:
            first = missing_ids[0]
            msg = (
                f"{found[split]}: {len(missing_ids)} of {len(wnids)} classes are missing, the "
                f"first {first} ({known[first]}); unpack its photos into a folder of that name"
            )
            raise DataError(msg)
    splits = {split: read_split(folder, wnids) for split, folder in found.items()}
    if not partial:
        for split, part in splits.items():
            if len(part) != COUNTS[split]:
                msg = (
                    f"{found[split]}: {len(part):,} photos, but ImageNet-1k has "
                    f"{COUNTS[split]:,}; unpack it again, or take what is there as a part"
                )
                raise DataError(msg)
    return ImageFolder(wnids, tuple(known[wnid] for wnid in wnids), splits)


def prepare_imagenet(root: Path, out: Path, *, partial: bool = False) -> Path:
    """Check ImageNet-1k and write the list of its classes, which is all that training needs.

    Args:
        root: Folder or archive of `train` and `val`.
        out: Folder for the list; made if missing.
        partial: As for `read_imagenet`.

    Returns:
        The list.

    Raises:
        DataError: As for `read_imagenet`.
    """
    path = out / CLASS_LIST
    write_atomically(path, read_imagenet(root, partial=partial).format_classes().encode())
    return path


def _list_classes(folder: Path, known: dict[str, str]) -> list[str]:
    entries = [path for path in list_folder(folder) if not path.name.startswith(".")]
    flat = [path for path in entries if path.suffix.lower() in IMAGE_SUFFIXES]
    if flat:
        msg = (
            f"{folder}: {len(flat)} photos lie outside class folders, such as {flat[0].name}; sort "
            f"them into folders by WordNet id, those of val by the list LOC_val_solution.csv"
        )
        raise DataError(msg)
    folders = [path.name for path in entries if is_folder(path)]
    strange = [name for name in folders if name not in known]
    if strange:
        msg = f"{folder}: no classes of ImageNet-1k: {list_some(strange)}; move these folders away"
        raise DataError(msg)
    return folders


def read_split(
    folder: Path, wnids: tuple[str, ...], *, present: frozenset[str] | None = None
) -> ImageSplit:
    """List the photos of a split.

    Args:
        folder: Of the split.
        wnids: Names of the class folders, in the order of labels.
        present: Those that are there; all if not given.

    Raises:
        DataError: A class folder holds no photo.
    """
    files: list[str] = []
    labels: list[int] = []
    for label, wnid in enumerate(wnids):
        if present is not None and wnid not in present:
            continue
        entries = list_folder(folder / wnid)
        photos = [path.name for path in entries if path.suffix.lower() in IMAGE_SUFFIXES]
        if not photos:
            msg = f"{folder / wnid}: holds no photo; unpack the archive of this class again"
            raise DataError(msg)
        files += [f"{wnid}/{name}" for name in photos]
        labels += [label] * len(photos)
    return ImageSplit(folder, tuple(files), np.array(labels, np.int16))
