"""Pictures without masks beside labelled ones, for a teacher to explain."""

from pathlib import Path
from typing import Any

import numpy as np

from segnext.data.folder import FolderDataset
from segnext.data.images import read_image
from segnext.data.pairing import scan_pictures
from segnext.errors import DataError


class WithUnlabelled:
    """A labelled split followed by pictures whose every mask pixel is ignored.

    Args:
        labelled: The training split.
        folder: Of the other pictures, read with its sub-folders.

    Raises:
        DataError: The folder holds no picture.
    """

    def __init__(self, labelled: FolderDataset, folder: Path) -> None:
        self.labelled = labelled
        found = scan_pictures(folder) if folder.is_dir() else {}
        if not found:
            msg = f"{folder}: no pictures there to learn from without masks"
            raise DataError(msg)
        self.paths = tuple(found.values())

    def __len__(self) -> int:
        """Return the number of labelled and unlabelled pictures."""
        return len(self.labelled) + len(self.paths)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return `image` (H, W, C), `mask` (H, W) and `name`, as `FolderDataset` does."""
        if index < len(self.labelled):
            return self.labelled[index]
        image = read_image(self.path(index), self.labelled.channels)
        ignored = self.labelled.classes.ignore_index
        mask = np.full(image.shape[:2], ignored, np.uint8 if ignored < 256 else np.uint16)
        return {"image": image, "mask": mask, "name": self.path(index).stem}

    def path(self, index: int) -> Path:
        """Return where a picture lies."""
        if index < len(self.labelled):
            return self.labelled.path(index)
        return self.paths[index - len(self.labelled)]
