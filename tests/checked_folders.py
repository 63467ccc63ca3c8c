"""Small data sets for the check-up, right but for what a test makes wrong."""

import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pictures import save_picture
from segnext.data.checkup import Checkup, Finding, check_data

HEIGHT, WIDTH = 40, 48


def photo(seed: object, height: int = HEIGHT, width: int = WIDTH) -> npt.NDArray[np.uint8]:
    """Return noise, another one for each seed, the same on every call."""
    random = np.random.default_rng(zlib.crc32(str(seed).encode()))
    return random.integers(0, 256, (height, width, 3), dtype=np.uint8)


def stripes(values: Iterable[int], dtype: type = np.uint8) -> npt.NDArray[Any]:
    """Return a mask whose columns cycle through the values."""
    columns = np.resize(np.array(list(values), dtype), WIDTH)
    return np.broadcast_to(columns, (HEIGHT, WIDTH)).copy()


def color_stripes(*colors: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """Return an RGB mask whose columns cycle through the colours."""
    return np.array(colors, np.uint8)[stripes(range(len(colors)))]


def write_pair(root: Path, split: str, name: str, mask: npt.NDArray[Any]) -> tuple[Path, Path]:
    """Write a photo of its own and a mask; return both paths."""
    picture = save_picture(root / split / "images" / f"{name}.png", photo((split, name)))
    return picture, save_picture(root / split / "masks" / f"{name}.png", mask)


def write_data(
    root: Path, mask: npt.NDArray[Any], classes: str = "", *, train: int = 3, val: int = 2
) -> Path:
    """Write train and val, all with the same mask, and a classes.txt if there are classes."""
    for split, count in (("train", train), ("val", val)):
        for index in range(count):
            write_pair(root, split, f"{split}_{index}", mask)
    if classes:
        (root / "classes.txt").write_text("\n".join(classes.split(", ")) + "\n", encoding="utf-8")
    return root


def check(root: Path, **options: Any) -> Checkup:
    """Check without processes."""
    return check_data(root, workers=0, **options)


def codes(checkup: Checkup) -> dict[str, str]:
    """Return the severity of each finding, by code."""
    return {finding.code: str(finding.severity) for finding in checkup.findings}


def find(checkup: Checkup, code: str) -> Finding:
    """Return the one finding of a code."""
    (finding,) = (finding for finding in checkup.findings if finding.code == code)
    return finding
