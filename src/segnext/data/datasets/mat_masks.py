"""Masks in MATLAB files, as Pascal Context, SBD and COCO-Stuff 10k are published.

They are read as they are, and written as PNG by a preparation, which reads several times as fast.
"""

import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segnext.classes import Classes, Mask
from segnext.data.containers.paths import walk_files
from segnext.data.headers import MAX_PIXELS, read_picture_bytes
from segnext.data.layout import Layout
from segnext.data.masks import FileMasks
from segnext.data.pairing import Item
from segnext.data.patches import encode_png
from segnext.data.preparation import Task
from segnext.errors import DataError, UsageError

# Those of the three data sets have a few hundred kilobytes at most.
_MOST_BYTES = 32 << 20

# Stored value and raw id, of all that have one; the others become 0.
RawIds = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class MatMasks:
    """Reads masks of which some are MATLAB files and the others pictures.

    Attributes:
        files: Reads the pictures.
        fields: Name of the array, after those of the structures it lies in.
        raw_ids: What values of MATLAB files mean, where they are no raw ids.
    """

    files: FileMasks
    fields: tuple[str, ...]
    raw_ids: RawIds = ()

    @property
    def classes(self) -> Classes:
        """Names, colours and raw ids."""
        return self.files.classes

    def with_classes(self, classes: Classes) -> "MatMasks":
        """Return the same reader by another label map; see `MaskReader`."""
        return replace(self, files=self.files.with_classes(classes))

    def read(self, item: Item) -> Mask:
        """Read the mask of an item; see `MaskReader`."""
        assert item.mask_path is not None
        if item.mask_path.suffix.lower() != ".mat":
            return self.files.read(item)
        raw = read_mat(item.mask_path, self.fields, self.raw_ids)
        return self.classes.encode(raw, str(item.mask_path))


def read_mat(path: Path, fields: tuple[str, ...], raw_ids: RawIds = ()) -> Mask:
    """Read an array of labels (H, W) from a MATLAB file, as raw ids.

    Args:
        path: On disk or inside an archive.
        fields: Name of the array, after those of the structures it lies in.
        raw_ids: What its values mean, where they are no raw ids.

    Raises:
        DataError: The file is missing, broken or too large, or holds no such array.
        UsageError: SciPy is not installed.
    """
    try:
        from scipy.io import loadmat, whosmat
    except ImportError:
        msg = f'{path}: MATLAB files need SciPy; pip install "segnext[annotations]"'
        raise UsageError(msg) from None
    data = read_picture_bytes(path)
    if len(data) > _MOST_BYTES:
        msg = f"{path}: {len(data):,} bytes are more than a mask may have, {_MOST_BYTES:,}"
        raise DataError(msg)
    try:
        # The size is read first: a few bytes may declare an array of any size.
        sizes = {name: shape for name, shape, _ in whosmat(io.BytesIO(data))}
        small = np.prod(sizes.get(fields[0], (0,)), dtype=np.float64) <= MAX_PIXELS
        found: Any = loadmat(io.BytesIO(data), variable_names=fields[:1]) if small else None
        for field in fields:
            found = found[field] if isinstance(found, dict) else found[0, 0][field]
        labels = np.asarray(found)
    except Exception:  # SciPy raises about anything on broken bytes
        msg = f"{path}: holds no array {'.'.join(fields)} of labels, or is broken; copy it again"
        raise DataError(msg) from None
    return _check_labels(labels, path, raw_ids)


def _check_labels(labels: npt.NDArray[Any], path: Path, raw_ids: RawIds) -> Mask:
    right = labels.ndim == 2 and labels.dtype.kind in "uif" and 0 < labels.size <= MAX_PIXELS
    if not right or not ((labels >= 0) & (labels <= 65_535)).all():
        msg = f"{path}: holds {labels.dtype} {labels.shape}, not labels (H, W) of 0 to 65535"
        raise DataError(msg)
    stored = labels.astype(np.uint16)
    if (stored != labels).any():
        msg = f"{path}: holds fractions; labels are whole numbers"
        raise DataError(msg)
    if not raw_ids:
        return stored
    table = np.zeros(65_536, np.uint16)
    for value, raw in raw_ids:
        table[value] = raw
    return table[stored]


def scan_mats(folder: Path) -> dict[str, Path]:
    """Find every MATLAB file below a folder, by its name without suffix."""
    return {path.stem: path for path in walk_files(folder) if path.suffix.lower() == ".mat"}


def note_slow_masks(layout: Layout, name: str) -> None:
    """Say that masks of a data set read faster when they are prepared, if they do.

    Args:
        layout: Its notes take the line.
        name: Of the data set.
    """
    paths = (item.mask_path for part in layout.splits.values() for item in part)
    slow = sum(path is not None and path.suffix.lower() in (".mat", ".json") for path in paths)
    if slow:
        layout.notes.append(
            f"masks: {slow} are read from .mat or .json, which is slow; segnext data prepare "
            f"{name} writes them as PNG"
        )


def plan_conversion(
    items: Iterable[Item], folder: str, fields: tuple[str, ...], raw_ids: RawIds = ()
) -> list[Task]:
    """Plan to write the masks in MATLAB files as PNG of raw ids.

    Args:
        items: Those with other masks are passed over, and so are repetitions.
        folder: For the PNG files, below the output folder.
        fields: As `read_mat` takes it.
        raw_ids: As `read_mat` takes it.
    """
    mats = {
        item.name: item.mask_path
        for item in items
        if item.mask_path and item.mask_path.suffix.lower() == ".mat"
    }
    return [
        Task(f"{folder}/{name}.png", convert_mat, (path, fields, raw_ids))
        for name, path in sorted(mats.items())
    ]


def convert_mat(path: Path, fields: tuple[str, ...], raw_ids: RawIds) -> bytes:
    """Return the mask of a MATLAB file as PNG of raw ids; see `read_mat`."""
    raw = read_mat(path, fields, raw_ids)
    return encode_png(raw.astype(np.uint8) if raw.max() <= 255 else raw)
