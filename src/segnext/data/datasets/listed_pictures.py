"""Pictures that a data set's own lists put into splits, and what to say of a wrong folder."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from segnext.data.containers.paths import is_folder, list_folder
from segnext.data.pairing import Item, read_list, strip_suffix
from segnext.errors import DataError, list_some


def read_ids(path: Path) -> tuple[str, ...]:
    """Read the names of pictures from a list, sorted, each once.

    A line may be a name, or paths of a picture and its mask with a space between, as some lists
    have them; folders and suffixes are dropped.

    Raises:
        DataError: The list is missing, no text, or empty.
    """
    entries = (text.split()[0] for _, text in read_list(path))
    return tuple(sorted({strip_suffix(entry).rsplit("/", 1)[-1] for entry in entries}))


def write_ids(*names: str) -> bytes:
    """Return a list of pictures, one name a line."""
    return "".join(f"{name}\n" for name in names).encode()


def list_items(
    names: Iterable[str],
    photos: Mapping[str, Path],
    masks: Sequence[Mapping[str, Path]],
    split: str,
    notes: list[str],
) -> tuple[Item, ...]:
    """Find the listed pictures and their masks; looking names up, a list cannot leave the folder.

    Args:
        names: Of the pictures.
        photos: Path by name.
        masks: Path by name, the first that has a name wins.
        split: Its name, for the notes.
        notes: Takes a line about listed pictures that are not there.

    Returns:
        An item for each picture that is there, with its mask if there is one.
    """
    items = []
    missing = []
    for name in names:
        if name not in photos:
            missing.append(name)
            continue
        mask = next((labels[name] for labels in masks if name in labels), None)
        items.append(Item(name, photos[name], mask, name))
    if missing:
        notes.append(
            f"{split}: {len(missing)} of {len(missing) + len(items)} listed pictures are not "
            f"there: {list_some(missing)}"
        )
    return tuple(items)


def find_first(places: Iterable[Path]) -> Path | None:
    """Return the first of some places that is a folder, or a folder in an archive."""
    return next((place for place in places if is_folder(place)), None)


def wrong_root(root: Path, wanted: str, obtain: str) -> DataError:
    """Compose the answer to a folder that does not hold a data set.

    Args:
        root: The folder.
        wanted: What was looked for.
        obtain: Where to get the data set.
    """
    found = list_some(path.name for path in list_folder(root)) or "nothing"
    return DataError(f"{root}: no {wanted}; found {found}. Get it: {obtain}")
