"""Find the files of a data set by their names, wherever its archives were unpacked to."""

import itertools
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from segnext.data.containers.paths import is_folder, list_folder, walk_files
from segnext.data.layout import Layout
from segnext.data.pairing import Item, keep_labelled, scan_pictures
from segnext.errors import DataError, UsageError, list_some

# What `sample_names` looks at in a folder, and how many folders of it it goes into below the first.
_SAMPLED, _SAMPLED_BELOW = 48, 6


def find_named(folder: Path, pattern: str) -> dict[str, Path]:
    """Find files below a folder by a regular expression on the end of their paths.

    Args:
        folder: Searched with everything below it.
        pattern: Of a file's name and of the folder it lies in, with `/` between. Its groups,
            joined with `_`, are the key of a file.

    Returns:
        Path by key, sorted by key.

    Raises:
        DataError: Two files have one key.
    """
    compiled = re.compile(pattern)
    found: dict[str, Path] = {}
    for path in walk_files(folder):
        match = compiled.fullmatch(f"{path.parent.name}/{path.name}")
        if match is None:
            continue
        key = "_".join(match.groups())
        if key in found:
            msg = f"{found[key]} and {path} are both of {key}; keep one of them"
            raise DataError(msg)
        found[key] = path
    return dict(sorted(found.items()))


def sample_names(folder: Path, levels: int = 4, folders: int = _SAMPLED) -> Iterator[str]:
    """Yield names of some files below a folder, for a quick look at what it holds.

    Args:
        folder: A few of its entries are looked at; one that cannot be read holds nothing.
        levels: How deep to go.
        folders: Into how many of its folders to go; fewer in those below.
    """
    try:
        entries = _sample_entries(folder)
    except (OSError, DataError):
        return
    for path in entries:
        if not is_folder(path):
            yield path.name
        elif levels > 1 and folders > 0:
            folders -= 1
            yield from sample_names(path, levels - 1, _SAMPLED_BELOW)


def _sample_entries(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return list_folder(folder)[:_SAMPLED]
    # Listing and sorting a folder of a million photos takes seconds.
    with os.scandir(folder) as entries:
        return sorted(folder / entry.name for entry in itertools.islice(entries, _SAMPLED))


def has_name(folder: Path, pattern: str) -> bool:
    """Tell whether a quick look at a folder finds a file whose whole name fits a pattern."""
    return any(re.fullmatch(pattern, name) for name in sample_names(folder))


def has_prepared_folders(root: Path) -> bool:
    """Tell whether a folder holds `img_dir` and `ann_dir`, as MMSegmentation prepares data."""
    return is_folder(root / "img_dir") and is_folder(root / "ann_dir")


def read_prepared(root: Path, group_of: Callable[[str], str], ending: str = "") -> Layout:
    """Read `img_dir` and `ann_dir`, each with folders train, val and test or with files alone.

    Args:
        root: Folder of both.
        group_of: Gives the group of a picture by its name, such as the tile it was cut from.
        ending: What the names of masks add to those of their pictures.

    Raises:
        DataError: There is no picture, or none has a mask.
    """
    layout = Layout("img_dir + ann_dir, as MMSegmentation prepares it")
    for split in ("train", "val", "test"):
        photos = root / "img_dir" / split
        if is_folder(photos):
            items = pair_by_name(photos, root / "ann_dir" / split, group_of, ending, layout.notes)
            layout.splits[split] = keep_labelled(items, split, layout.notes)
    if not layout.splits:
        items = pair_by_name(root / "img_dir", root / "ann_dir", group_of, ending, layout.notes)
        layout.pool = keep_labelled(items, "all", layout.notes)
    if not any(item.mask_path for part in (layout.pool, *layout.splits.values()) for item in part):
        msg = f"{root / 'ann_dir'}: no mask belongs to a picture of img_dir; copy both again"
        raise DataError(msg)
    return layout


def pair_by_name(
    images: Path, masks: Path, group_of: Callable[[str], str], ending: str, notes: list[str]
) -> tuple[Item, ...]:
    """Pair pictures with masks of the same name and a given ending.

    Args:
        images: Folder of photos.
        masks: Folder of masks; need not exist.
        group_of: Gives the group of a picture by its name.
        ending: What the names of masks add to those of their pictures.
        notes: Takes a line about masks without an image.

    Raises:
        DataError: There is no photo, or there are masks but none fits.
    """
    photos = scan_pictures(images)
    if not photos:
        msg = f"{images}: holds no picture; copy the data set again"
        raise DataError(msg)
    labels = scan_pictures(masks) if is_folder(masks) else {}
    unused = sorted(set(labels) - {name + ending for name in photos})
    if labels and len(unused) == len(labels):
        msg = (
            f"{images} and {masks}: no image has a mask; looked for {next(iter(photos))}{ending}, "
            f"and found, among {len(labels)} masks, {next(iter(labels))}"
        )
        raise DataError(msg)
    if unused:
        notes.append(f"{masks}: {len(unused)} masks without an image: {list_some(unused)}")
    return tuple(
        Item(name, path, labels.get(name + ending), group_of(name)) for name, path in photos.items()
    )


def check_choice(name: str, value: object, valid: tuple[str, ...]) -> None:
    """Refuse an option that is none of the strings it may be.

    Raises:
        UsageError: Names what it may be.
    """
    if value not in valid:
        msg = f"{name}={value!r}: should be one of {', '.join(valid)}"
        raise UsageError(msg)


def check_switch(name: str, value: object) -> None:
    """Refuse an option that is neither true nor false.

    Raises:
        UsageError: Says so.
    """
    if not isinstance(value, bool):
        msg = f"{name}={value!r}: should be true or false"
        raise UsageError(msg)


def read_names(name: str, value: object) -> frozenset[str]:
    """Return the names given by an option: a list, or one text with commas between.

    Raises:
        UsageError: It is neither.
    """
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        # YAML takes 7_10 for the number 710.
        msg = f"{name}={value!r}: should be names, in quotes, with commas between"
        raise UsageError(msg)
    return frozenset(part.strip() for part in parts if part.strip())
