"""The folder that wraps a whole archive, as packing `roads/` into `roads.zip` makes it."""

from itertools import chain
from pathlib import Path

from segnext.data.containers.paths import find_packed_folder
from segnext.data.datasets.known_dataset import KnownDataset
from segnext.data.datasets.registry import DATASETS
from segnext.data.formats.registry import FORMATS, Format
from segnext.data.layout import IMAGE_FOLDERS, MASK_FOLDERS
from segnext.data.split_names import SPLIT_NAMES


def unwrap(root: Path) -> Path:
    """Return the folder that is all there is in an archive, and other paths as they are.

    Raises:
        DataError: The archive is broken.
    """
    folder = find_packed_folder(root)
    if folder is None:
        return root
    parts = (*IMAGE_FOLDERS, *MASK_FOLDERS, *chain(*SPLIT_NAMES.values()))
    entries: list[Format | KnownDataset] = [*DATASETS.values(), *FORMATS.values()]
    # A folder `train` is a part of the data set, not its wrapping.
    if folder.name.lower() in parts or any(entry.detect(root) for entry in entries):
        return root
    return unwrap(folder)
