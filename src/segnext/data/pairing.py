"""Which mask belongs to which image: by name, with nothing dropped in silence."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from segnext.data.containers.paths import read_text, walk_files
from segnext.data.images import IMAGE_SUFFIXES
from segnext.errors import DataError, list_some

# What a mask's name may add to its image's name.
MASK_ENDINGS = (
    "_mask",
    "_label",
    "_labels",
    "_gt",
    "_seg",
    "_L",
    "_labelTrainIds",
    "_labelIds",
    "_gtFine_labelTrainIds",
    "_gtFine_labelIds",
)
# Dropped from an image's name before a mask ending is added, as Cityscapes does.
IMAGE_ENDING = "_leftImg8bit"


@dataclass(frozen=True)
class Item:
    """One picture of a data set.

    Attributes:
        name: Path below the image folder without suffix, with `/`.
        image_path: The photo.
        mask_path: Its mask; `None` in a split without masks.
        group: What must not be spread over several splits; the name itself without a rule.
        shard: What is fetched in one piece with other pictures; empty for a file of its own.
    """

    name: str
    image_path: Path
    mask_path: Path | None
    group: str
    shard: str = ""


def scan_pictures(folder: Path) -> dict[str, Path]:
    """Find every picture below a folder, hidden ones apart.

    Returns:
        Path by name (relative, without suffix, with `/`), sorted by name.

    Raises:
        DataError: Two pictures differ only in their suffix.
    """
    pictures: dict[str, Path] = {}
    for path in walk_files(folder):
        if path.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in pictures:
            msg = f"{pictures[name]} and {path} have one name; remove or rename one of them"
            raise DataError(msg)
        pictures[name] = path
    return dict(sorted(pictures.items()))


def pair_folders(images: Path, masks: Path | None, notes: list[str]) -> tuple[Item, ...]:
    """Pair the pictures of two folders by name.

    Args:
        images: Folder of photos.
        masks: Folder of masks, if there is one.
        notes: Takes a line about masks without an image.

    Returns:
        An item for each photo, sorted by name, those without a mask among them.

    Raises:
        DataError: There is no photo, or there are masks but none fits.
    """
    photos = scan_pictures(images)
    if not photos:
        msg = f"{images}: holds no picture ({', '.join(sorted(IMAGE_SUFFIXES))})"
        raise DataError(msg)
    labels = scan_pictures(masks) if masks else {}
    partners = {name: _find_mask(name, labels) for name in photos}
    if masks and labels and not any(partners.values()):
        raise _nothing_pairs(images, masks, photos, labels)
    unused = sorted(set(labels) - set(partners.values()))
    if unused:
        notes.append(f"{masks}: {len(unused)} masks without an image: {list_some(unused)}")
    return tuple(
        Item(name, path, labels[partner] if (partner := partners[name]) else None, name)
        for name, path in photos.items()
    )


def keep_labelled(items: Sequence[Item], split: str, notes: list[str]) -> tuple[Item, ...]:
    """Leave out images without a mask, unless the whole split has none, as test sets have."""
    alone = [item.name for item in items if item.mask_path is None]
    if not alone:
        return tuple(items)
    if len(alone) == len(items):
        notes.append(f"{split}: its {len(items)} images have no masks")
        return tuple(items)
    notes.append(f"{split}: {len(alone)} images without a mask left out: {list_some(alone)}")
    return tuple(item for item in items if item.mask_path is not None)


def select_listed(
    items: Iterable[Item], entries: Sequence[tuple[int, str]], source: Path
) -> tuple[Item, ...]:
    """Select the items that a split list names.

    Args:
        items: All there are.
        entries: Line number and text: a stem, or a relative path with or without suffix.
        source: The list, for messages.

    Raises:
        DataError: An entry leaves the data set or names no picture of it.
    """
    by_name = {item.name: item for item in items}
    chosen: dict[str, Item] = {}
    for line, entry in entries:
        name = _match_entry(entry, by_name)
        if name is None:
            msg = (
                f"{source}, line {line}: {entry!r} is none of the {len(by_name)} images, such as "
                f"{next(iter(by_name))}; mend the line or add the file"
            )
            raise DataError(msg)
        chosen[name] = by_name[name]
    return tuple(sorted(chosen.values(), key=lambda item: item.name))


def read_list(path: Path) -> list[tuple[int, str]]:
    """Read a list, one entry a line, as (line number, text); blank lines are skipped.

    Raises:
        DataError: The list is missing, no text, or empty.
    """
    lines = read_text(path).splitlines()
    entries = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    if not entries:
        msg = f"{path}: the list is empty; write one picture a line"
        raise DataError(msg)
    return entries


def strip_suffix(entry: str) -> str:
    """Return a listed path with `/` and without the suffix of a picture."""
    path = PurePosixPath(entry.replace("\\", "/"))
    return (path.with_suffix("") if path.suffix.lower() in IMAGE_SUFFIXES else path).as_posix()


def _match_entry(entry: str, by_name: Mapping[str, Item]) -> str | None:
    # Lists name pictures from their own folder or from somewhere above it, so the longest tail
    # that is known wins. Looking names up, a list can never reach a file elsewhere.
    parts = strip_suffix(entry).split("/")
    if ".." in parts or parts[0] == "" or parts[0].endswith(":"):
        return None
    return find_tail("/".join(parts), by_name)


def find_tail(path: str, known: Container[str]) -> str | None:
    """Return the longest end of a path, cut at its `/`, that is known; `None` if none is."""
    parts = path.split("/")
    tails = ("/".join(parts[start:]) for start in range(len(parts)))
    return next((tail for tail in tails if tail in known), None)


def _find_mask(name: str, labels: Mapping[str, Path]) -> str | None:
    stems = [name]
    if name.endswith(IMAGE_ENDING):
        stems.append(name.removesuffix(IMAGE_ENDING))
    endings = ("", *MASK_ENDINGS)
    candidates = (stem + ending for stem in stems for ending in endings)
    return next((candidate for candidate in candidates if candidate in labels), None)


def _nothing_pairs(
    images: Path, masks: Path, photos: Mapping[str, Path], labels: Mapping[str, Path]
) -> DataError:
    found = next(iter(labels.values())).name if labels else "no picture"
    return DataError(
        f"{images} and {masks}: no image has a mask; looked for masks of the same name, or with "
        f"one of {', '.join(MASK_ENDINGS)} added; found for example the image "
        f"{next(iter(photos.values())).name} and, among {len(labels)} masks, {found}"
    )
