"""Photos with one label each, in folders that are called by their class, whatever the classes.

    train/cat/0001.png      any names, any number of folders
    val/cat/0002.png
    classes.txt             optional: a line each, folder and name, such as `n02123045 tabby cat`

ImageNet's folders (see `segnext.data.datasets.imagenet`) are one case, and get their names without
a list.
"""

from collections.abc import Sequence
from pathlib import Path

from segnext.data.containers.paths import is_file, is_folder, list_folder, read_text
from segnext.data.datasets.imagenet import (
    CLASS_LIST,
    ImageFolder,
    ImageSplit,
    read_split,
    read_synsets,
)
from segnext.data.images import IMAGE_SUFFIXES
from segnext.errors import DataError, list_some


def read_class_folders(
    root: Path, *, classes: Sequence[str] | None = None, needed: Sequence[str] = ("train", "val")
) -> ImageFolder:
    """Find photos in folders by class.

    Args:
        root: Folder or archive that holds the splits.
        classes: Folders in the order of labels; those of `train`, sorted, if not given.
        needed: Splits that have to be there.

    Raises:
        DataError: A split is missing, flat or empty, a folder is no class, or the list of names
            cannot be read.
    """
    for split in needed:
        if not is_folder(root / split):
            msg = f"{root}: no folder {split} with a folder of photos for each class"
            raise DataError(msg)
    there = {
        split: _list_classes(root / split)
        for split in ("train", "val")
        if split in needed or is_folder(root / split)
    }
    for split in needed:
        if not there[split]:
            msg = f"{root / split}: holds no folder of photos; make one for each class"
            raise DataError(msg)
    folders = tuple(classes) if classes is not None else tuple(there[needed[0]])
    if len(folders) < 2:
        msg = f"{root / needed[0]}: holds {len(folders)} class folders; two are the least"
        raise DataError(msg)
    for split, found in there.items():
        strange = sorted(set(found) - set(folders))
        if strange:
            origin = f"{needed[0]} lacks" if classes is None else "the weights do not know"
            msg = f"{root / split}: has classes that {origin}: {list_some(strange)}"
            raise DataError(msg)
    splits = {split: _read(root / split, folders, found) for split, found in there.items()}
    return ImageFolder(folders, _read_names(root, folders), splits)


def _list_classes(folder: Path) -> list[str]:
    entries = [path for path in list_folder(folder) if not path.name.startswith(".")]
    found = sorted(path.name for path in entries if is_folder(path))
    flat = [path.name for path in entries if path.suffix.lower() in IMAGE_SUFFIXES]
    if flat and not found:
        msg = (
            f"{folder}: {len(flat)} photos lie outside class folders, such as {flat[0]}; sort them "
            f"into a folder for each class"
        )
        raise DataError(msg)
    return found


def _read(folder: Path, folders: tuple[str, ...], found: list[str]) -> ImageSplit:
    # A class that is not in this split has no photos in it, and keeps its label.
    return read_split(folder, folders, present=frozenset(found))


def _read_names(root: Path, folders: tuple[str, ...]) -> tuple[str, ...]:
    """Return what people call the classes; the folder stands behind names that are not unique."""
    known = dict(read_synsets())
    listed = root / CLASS_LIST
    if is_file(listed):
        for line in read_text(listed).splitlines():
            folder, _, name = line.strip().partition(" ")
            if folder:
                known[folder] = name.strip() or folder
    names = [known.get(folder, folder) for folder in folders]
    return tuple(
        f"{name} ({folder})" if names.count(name) > 1 else name
        for name, folder in zip(names, folders, strict=True)
    )
