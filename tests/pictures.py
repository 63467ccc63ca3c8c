"""Small pictures and folders of them, for tests of the readers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

PHOTO = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def save_picture(path: Path, pixels: npt.NDArray[Any] = PHOTO, **options: Any) -> Path:
    """Write pixels in the format of the suffix, making folders on the way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with Image.fromarray(pixels) as picture:
        picture.save(path, **options)
    return path


def ids(*values: int) -> npt.NDArray[np.uint8]:
    """Return a 30x20 mask whose columns cycle through the values."""
    return np.broadcast_to(np.resize(np.array(values, np.uint8), 30), (20, 30)).copy()


def save_pairs(root: Path, pairs: Mapping[str, str], mask: npt.NDArray[Any] | None = None) -> Path:
    """Write photos and masks: `{"train/images/a.jpg": "train/masks/a.png"}`; "" for no mask."""
    for photo, label in pairs.items():
        save_picture(root / photo)
        if label:
            save_picture(root / label, ids(0, 1) if mask is None else mask)
    return root


def save_splits(root: Path, **counts: int) -> Path:
    """Write `split/images/split_0.jpg` and `split/masks/split_0.png` and so on."""
    for split, count in counts.items():
        names = [f"{split}_{index}" for index in range(count)]
        save_pairs(root, {f"{split}/images/{n}.jpg": f"{split}/masks/{n}.png" for n in names})
    return root
