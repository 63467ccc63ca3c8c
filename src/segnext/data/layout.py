"""Find images, masks and splits in the folders people have.

Four layouts are understood, with the usual synonyms of each name:

1. `train/images` and `train/masks`, and the same for val and test;
2. `images/train` and `masks/train`, and the same for val and test;
3. `images` and `masks` with lists `train.txt`, `val.txt`, `test.txt`;
4. `images` and `masks` alone, which are split by a hash.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from segnext.data.containers.paths import is_file, is_folder, list_folder
from segnext.data.masks import MaskReader
from segnext.data.pairing import Item, keep_labelled, pair_folders, read_list, select_listed
from segnext.data.split_names import SPLIT_NAMES
from segnext.data.splits import Splits
from segnext.errors import DataError, list_some

IMAGE_FOLDERS = ("images", "image", "imgs", "img", "jpegimages", "photos")
MASK_FOLDERS = (
    "masks",
    "mask",
    "labels",
    "label",
    "annotations",
    "annotation",
    "ann",
    "gt",
    "segmentationclass",
)
LIST_FOLDERS = (".", "splits", "ImageSets/Segmentation")

UNDERSTOOD = (
    "understood are train/images + train/masks, images/train + masks/train, images + masks with "
    "lists train.txt val.txt test.txt, images + masks alone, and data.yaml; other formats are "
    "found out or told by --format, see segnext data formats"
)


@dataclass
class Layout:
    """The pictures of a data set as its folders say.

    Attributes:
        description: Which layout was found, for the user.
        splits: Items by split; empty where the folders name no splits.
        pool: All items where the folders name no splits.
        notes: What does not pair.
        masks: How masks are read, where the layout says it; else their files are looked at.
        unions: Splits that share pictures with others on purpose, such as trainval.
    """

    description: str
    splits: Splits = field(default_factory=dict)
    pool: tuple[Item, ...] = ()
    notes: list[str] = field(default_factory=list)
    masks: MaskReader | None = None
    unions: tuple[str, ...] = ()


def find_layout(root: Path) -> Layout:
    """Recognise the layout of a folder and pair its images and masks.

    Args:
        root: The data set's folder.

    Raises:
        DataError: The folder is missing or in no known layout, or nothing pairs.
    """
    _check_folder(root)
    by_split = _folders_by_split(root) or _splits_by_folder(root)
    if by_split:
        return _read_splits(*by_split)
    images, masks = find_folder(root, IMAGE_FOLDERS), find_folder(root, MASK_FOLDERS)
    if images is None or masks is None:
        missing = "folder of images" if images is None else f"folder of masks beside {images.name}"
        found = list_some(path.name for path in list_folder(root)) or "an empty folder"
        msg = f"{root}: no {missing}; {UNDERSTOOD}; found {found}"
        raise DataError(msg)
    notes: list[str] = []
    items = pair_folders(images, masks, notes)
    lists = _find_lists(root)
    description = f"{images.name} + {masks.name}"
    if not lists:
        return Layout(description, pool=keep_labelled(items, "all", notes), notes=notes)
    splits = {
        split: keep_labelled(select_listed(items, read_list(path), path), split, notes)
        for split, path in lists.items()
    }
    names = ", ".join(path.relative_to(root).as_posix() for path in lists.values())
    unlisted = {item.name for item in items} - {i.name for part in splits.values() for i in part}
    if unlisted:
        notes.append(f"{len(unlisted)} pictures are in no list: {list_some(sorted(unlisted))}")
    return Layout(f"{description} with lists {names}", splits, notes=notes)


def find_folder(parent: Path, names: Sequence[str]) -> Path | None:
    """Return the sub-folder that has one of the names, the first name first, in any case."""
    return _pick(_folders_in(parent), names)


def find_split_folders(parent: Path) -> dict[str, Path]:
    """Return the sub-folders called train, val and test, or as people call these, by split."""
    folders = _folders_in(parent)
    found = {split: _pick(folders, names) for split, names in SPLIT_NAMES.items()}
    return {split: folder for split, folder in found.items() if folder is not None}


def _folders_in(parent: Path) -> dict[str, Path]:
    return {path.name.lower(): path for path in list_folder(parent) if is_folder(path)}


def _pick(folders: Mapping[str, Path], names: Sequence[str]) -> Path | None:
    return next((folders[name] for name in names if name in folders), None)


def _check_folder(root: Path) -> None:
    if not root.exists() and not is_folder(root):
        msg = f"{root}: no such folder or archive"
        raise DataError(msg)
    if not is_folder(root):
        msg = (
            f"{root}: is no folder, data.yaml, .zip or uncompressed .tar; unpack it if it is "
            f"another archive"
        )
        raise DataError(msg)


_Found = tuple[str, dict[str, tuple[Path, Path | None]]]


def _folders_by_split(root: Path) -> _Found | None:
    """Find `train/images` and `train/masks`."""
    found: dict[str, tuple[Path, Path | None]] = {}
    for split, folder in find_split_folders(root).items():
        images = find_folder(folder, IMAGE_FOLDERS)
        if images:
            found[split] = (images, find_folder(folder, MASK_FOLDERS))
    return (_describe(root, found), found) if found else None


def _splits_by_folder(root: Path) -> _Found | None:
    """Find `images/train` and `masks/train`."""
    images, masks = find_folder(root, IMAGE_FOLDERS), find_folder(root, MASK_FOLDERS)
    photos = find_split_folders(images) if images else {}
    labels = find_split_folders(masks) if masks else {}
    found = {split: (folder, labels.get(split)) for split, folder in photos.items()}
    return (_describe(root, found), found) if found else None


def _describe(root: Path, found: dict[str, tuple[Path, Path | None]]) -> str:
    images, masks = next(iter(found.values()))
    paths = [path.relative_to(root).as_posix() for path in (images, masks) if path]
    return " + ".join(paths) + (", and so on" if len(found) > 1 else "")


def _read_splits(description: str, folders: dict[str, tuple[Path, Path | None]]) -> Layout:
    layout = Layout(description)
    for split, (images, masks) in folders.items():
        items = pair_folders(images, masks, layout.notes)
        layout.splits[split] = keep_labelled(items, split, layout.notes)
    return layout


def _find_lists(root: Path) -> dict[str, Path]:
    for folder in LIST_FOLDERS:
        lists = {}
        for split, names in SPLIT_NAMES.items():
            paths = (root / folder / f"{name}.txt" for name in names)
            path = next((path for path in paths if is_file(path)), None)
            if path:
                lists[split] = path
        if lists:
            return lists
    return {}
