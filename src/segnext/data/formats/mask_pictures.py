"""Whether a folder holds masks that are pictures, so that no other format should claim it."""

from pathlib import Path

from segnext.data.containers.paths import is_folder, list_folder
from segnext.data.images import IMAGE_SUFFIXES
from segnext.data.layout import IMAGE_FOLDERS, MASK_FOLDERS, find_folder, find_split_folders

# Enough to meet a picture among notes and hidden files; a folder may hold a hundred thousand.
_LOOKED_AT = 50


def holds_mask_pictures(root: Path) -> bool:
    """Tell whether a folder of masks beside one of photos holds pictures.

    Args:
        root: Of the data set; its folders, and those of its splits, are looked at.

    Raises:
        OSError: A folder cannot be listed.
        DataError: The archive is broken.
    """
    for parent in (root, *find_split_folders(root).values()):
        masks = find_folder(parent, MASK_FOLDERS)
        # Without photos beside, pictures in a folder called labels may be the photos.
        if masks is None or find_folder(parent, IMAGE_FOLDERS) is None:
            continue
        parts = find_split_folders(masks).values()
        if any(_holds_pictures(folder) for folder in (masks, *parts)):
            return True
    return False


def _holds_pictures(folder: Path) -> bool:
    entries = [path for path in list_folder(folder) if not path.name.startswith(".")]
    pictures = [path for path in entries[:_LOOKED_AT] if path.suffix.lower() in IMAGE_SUFFIXES]
    return any(not is_folder(path) for path in pictures)
