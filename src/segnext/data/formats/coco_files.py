"""Where COCO's annotation files and their pictures lie in the folders people have."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from segnext.data.containers.paths import (
    file_size,
    is_file,
    is_folder,
    list_folder,
    walk_files,
)
from segnext.data.formats.json_files import read_head
from segnext.data.images import IMAGE_SUFFIXES
from segnext.data.layout import IMAGE_FOLDERS, find_folder, find_split_folders
from segnext.data.pairing import find_tail
from segnext.data.split_names import SPLIT_NAMES, split_in_words, split_order
from segnext.errors import DataError, list_some

_LABEL_FOLDERS = ("annotations", "annotation", "labels", "ann")
# FiftyOne writes its pictures to `data`.
_PICTURE_FOLDERS = (*IMAGE_FOLDERS, "data")
_INSTANCES = "instances_"
# A folder of more is one of files by picture, and looking into each would take long.
_MOST_FILES = 50
_HEAD_BYTES = 65_536


def find_annotation_files(root: Path) -> dict[str, Path]:
    """Find the annotation files of a folder or archive.

    Returns:
        File by split; by `""` a single file whose name says no split.

    Raises:
        DataError: Two files are of one split.
    """
    files = _candidates(root)
    if len(files) == 1:
        return {split_of(files[0], root): files[0]}
    found: dict[str, Path] = {}
    for path in files:
        split = split_of(path, root) or path.stem.removeprefix(_INSTANCES)
        if split in found:
            msg = (
                f"{found[split]} and {path} are both of the split {split}; choose with options: "
                f"{{annotations: {{{split}: {path.relative_to(root).as_posix()}}}}}"
            )
            raise DataError(msg)
        found[split] = path
    return {name: found[name] for name in sorted(found, key=split_order)}


def _candidates(root: Path) -> list[Path]:
    labels = find_folder(root, _LABEL_FOLDERS)
    splits = [*find_split_folders(root).values()]
    inner = [folder for split in splits if (folder := find_folder(split, _LABEL_FOLDERS))]
    for folders in ([labels] if labels else [], [*splits, *inner], [root]):
        files = [path for folder in folders for path in list_folder(folder) if _is_json(path)]
        # Beside instances, COCO keeps captions and key points of the same pictures.
        named = [path for path in files if path.name.startswith(_INSTANCES)]
        few = files if len(files) <= _MOST_FILES else []
        chosen = named or [path for path in few if looks_like_coco(path)]
        if chosen:
            return chosen
    return []


def _is_json(path: Path) -> bool:
    return path.suffix.lower() == ".json" and is_file(path)


def looks_like_coco(path: Path) -> bool:
    """Tell from the head of a file whether it holds COCO's lists."""
    head = read_head(path, _HEAD_BYTES)
    if not head.lstrip().startswith("{"):
        return False
    lists = {name for name in ("images", "categories") if re.search(rf'"{name}"\s*:\s*\[', head)}
    if file_size(path) <= _HEAD_BYTES:
        return len(lists) == 2
    # LVIS starts with its annotations.
    annotations = re.search(r'"annotations"\s*:\s*\[', head) and '"category_id"' in head
    return bool(lists or annotations)


def split_of(path: Path, root: Path) -> str:
    """Return the split that the name of a file or of its folders says; empty if none."""
    folders = reversed(path.relative_to(root).parts[:-1])
    for name in (path.stem, *folders):
        if split := split_in_words(name):
            return split
    return ""


@dataclass(frozen=True)
class FoundPictures:
    """Where the pictures of an annotation file are.

    Attributes:
        folder: That holds most of them.
        by_name: Pictures in it by the name that the file gives.
        others: Pictures in it that the file does not list.
    """

    folder: Path
    by_name: dict[str, Path]
    others: list[Path]


def find_pictures(
    path: Path, root: Path, split: str, wanted: Iterable[str], images: Path | None
) -> FoundPictures:
    """Find the pictures that an annotation file lists.

    Names are only looked up among the files there are, the longest tail of a path first, so that
    none leads out of the data set.

    Args:
        path: The annotation file.
        root: Of the data set.
        split: Of the file; empty if unknown.
        wanted: Names of the pictures, as the file gives them.
        images: Folder to look in; found if not given.

    Raises:
        DataError: None of them is there.
    """
    names = list(wanted)
    best: FoundPictures | None = None
    for folder in [images] if images else _picture_folders(path, root, split):
        pictures = list_pictures(folder)
        found = match_names(names, pictures)
        if best is None or len(found) > len(best.by_name):
            others = set(pictures.values()) - set(found.values())
            best = FoundPictures(folder, found, sorted(others))
        if len(found) == len(names):
            break
    if best is None or not best.by_name:
        where = f"in {images}" if images else f"below {root}"
        msg = (
            f"{path}: none of its {len(names):,} pictures, such as {names[0]}, is {where}; put "
            f"them into a folder images, or name their folder with options: {{images: FOLDER}}"
        )
        raise DataError(msg)
    return best


def _picture_folders(path: Path, root: Path, split: str) -> list[Path]:
    """Return the folders that may hold the pictures of an annotation file, likely ones first."""
    own = path.stem.removeprefix(_INSTANCES).lower()
    words = re.split(r"[\W_]+", path.stem.lower())
    names = [own, *(word for word in words if word), *SPLIT_NAMES.get(split, ())]
    bases = [path.parent] if path.parent == root else [path.parent, path.parent.parent]
    chosen: list[Path] = []
    for base in bases:
        beside = _folders_in(base)
        holders = [beside[name] for name in _PICTURE_FOLDERS if name in beside]
        inside = [_folders_in(holder) for holder in holders]
        for name in names:
            chosen += [folders[name] for folders in inside if name in folders]
            if name in beside:
                own_folders = _folders_in(beside[name])
                chosen += [own_folders[inner] for inner in _PICTURE_FOLDERS if inner in own_folders]
                chosen.append(beside[name])
        chosen += [*holders, base]
    return [*dict.fromkeys((*chosen, root))]


def _folders_in(folder: Path) -> dict[str, Path]:
    return {path.name.lower(): path for path in list_folder(folder) if is_folder(path)}


def list_pictures(folder: Path) -> dict[str, Path]:
    """Return every picture below a folder by its relative path, with `/`."""
    return {
        path.relative_to(folder).as_posix(): path
        for path in walk_files(folder)
        if path.suffix.lower() in IMAGE_SUFFIXES
    }


def match_names(names: Iterable[str], pictures: Mapping[str, Path]) -> dict[str, Path]:
    """Return the picture of each name whose longest known tail is a picture's relative path."""
    found: dict[str, Path] = {}
    for name in names:
        tail = find_tail(name.replace("\\", "/"), pictures)
        if tail is not None:
            found[name] = pictures[tail]
    return found


def describe_missing(path: Path, folder: Path, missing: list[str]) -> str:
    """Say which pictures of an annotation file are not there."""
    return f"{path}: {len(missing):,} of its pictures are not in {folder}: {list_some(missing)}"
