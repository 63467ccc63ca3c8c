"""What one picture and its mask say, read once and kept small.

Nothing here raises on a broken file: a check-up goes on and lists them all.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from segnext.data.duplicates import Sketch, sketch_picture
from segnext.data.footprints import Footprint, read_footprint
from segnext.data.headers import ImageHeader, parse_header, read_picture_bytes
from segnext.data.images import decode_picture, read_image
from segnext.data.masks import FileMasks, Kind, MaskReader, pack_colors, read_stored
from segnext.data.pairing import Item
from segnext.errors import SegnextError

# Values or colours kept of one mask: more than any data set has classes.
MOST_VALUES = 1024

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PictureReading:
    """A picture that could be read.

    Attributes:
        header: What it says about itself.
        digest: Of the file's bytes; equal files have equal ones.
        flat: It shows one value throughout, as empty tiles do.
        narrow: It has 16 bits a value, of which the upper 8 are never used.
        sketch: For the search of near-duplicates, where it was asked for.
        footprint: Where it lies on the ground, for a GeoTIFF that says so.
    """

    header: ImageHeader
    digest: bytes
    flat: bool = False
    narrow: bool = False
    sketch: Sketch | None = None
    footprint: Footprint | None = None


@dataclass(frozen=True)
class MaskReading:
    """A mask that could be read.

    Attributes:
        kind: Of the file; `train` where a reader of shapes painted it, as train ids.
        height: In pixels.
        width: In pixels.
        values: Ids, packed colours or train ids that occur, the most frequent `MOST_VALUES`.
        counts: Pixels of each.
        distinct: How many different values occur in all.
        digest: Of the pixels; equal masks have equal ones.
    """

    kind: Kind | Literal["train"]
    height: int
    width: int
    values: Counts
    counts: Counts
    distinct: int
    digest: bytes


@dataclass(frozen=True)
class Fault:
    """Why a file could not be read.

    Attributes:
        kind: `jpeg` for a mask saved as JPEG, `labels` for labels that no mask can be painted
            from, else `broken`.
        message: One line that names the file.
    """

    kind: Literal["jpeg", "labels", "broken"]
    message: str


@dataclass(frozen=True)
class Job:
    """A picture to be read.

    Attributes:
        split: Where it belongs.
        item: Its files.
        sketch: Draw a sketch of it.
    """

    split: str
    item: Item
    sketch: bool = False


@dataclass(frozen=True)
class Reading:
    """What one picture and its mask say; exactly one of each pair is there.

    Attributes:
        split: Where it belongs.
        item: Its files.
        picture: The picture, or
        picture_fault: why it could not be read.
        mask: The mask, if it has one, or
        mask_fault: why it could not be read.
    """

    split: str
    item: Item
    picture: PictureReading | None
    picture_fault: Fault | None
    mask: MaskReading | None
    mask_fault: Fault | None


def read_job(job: Job, reader: MaskReader | None) -> Reading:
    """Read a picture and its mask.

    Args:
        job: Which.
        reader: Paints masks that are no pictures; masks that are files are read as stored.
    """
    picture, picture_fault = _read_picture(job.item.image_path, sketch=job.sketch)
    mask, mask_fault = None, None
    if job.item.mask_path is not None:
        mask, mask_fault = _read_mask(job.item, reader)
    return Reading(job.split, job.item, picture, picture_fault, mask, mask_fault)


def _read_picture(path: Path, *, sketch: bool) -> tuple[PictureReading | None, Fault | None]:
    try:
        data = read_picture_bytes(path)
        header = parse_header(data, path)
        image = decode_picture(data, header, path)
        drawn = None
        if sketch:
            drawn = sketch_picture(image if header.orientation == 1 else read_image(path))
        return PictureReading(
            header=header,
            digest=hashlib.blake2b(data, digest_size=16).digest(),
            flat=bool(image.min() == image.max()),
            narrow=image.dtype == np.uint16 and bool(image.max() <= 255),
            sketch=drawn,
            footprint=read_footprint(data) if header.format == "tiff" else None,
        ), None
    except SegnextError as error:
        return None, Fault("broken", str(error))
    except Exception as error:  # whatever a file does to a decoder, the check-up goes on
        return None, Fault("broken", f"{path}: cannot be decoded ({type(error).__name__})")


def _read_mask(item: Item, reader: MaskReader | None) -> tuple[MaskReading | None, Fault | None]:
    assert item.mask_path is not None
    try:
        if reader is None or isinstance(reader, FileMasks):
            return _read_stored_mask(item.mask_path), None
        mask = reader.read(item)
        return _describe("train", mask, mask), None
    except SegnextError as error:
        painted = reader is not None and not isinstance(reader, FileMasks)
        kind: Literal["jpeg", "labels", "broken"] = "labels" if painted else "broken"
        return None, Fault("jpeg" if _is_jpeg(item.mask_path) else kind, str(error))
    except Exception as error:  # whatever a file does to a decoder, the check-up goes on
        problem = f"{item.mask_path}: cannot be decoded ({type(error).__name__})"
        return None, Fault("broken", problem)


def _read_stored_mask(path: Path) -> MaskReading:
    kind, pixels = read_stored(path)
    return _describe(kind, pixels, pack_colors(pixels) if kind == "color" else pixels[..., 0])


def _describe(
    kind: Kind | Literal["train"], pixels: npt.NDArray[np.generic], flat: npt.NDArray[np.generic]
) -> MaskReading:
    if kind == "color":
        values, counts = np.unique(flat, return_counts=True)
    else:
        counts = np.bincount(flat.reshape(-1))
        values = np.flatnonzero(counts)
        counts = counts[values]
    most = np.sort(np.argsort(-counts, kind="stable")[:MOST_VALUES])
    return MaskReading(
        kind=kind,
        height=flat.shape[0],
        width=flat.shape[1],
        values=values[most].astype(np.int64),
        counts=counts[most].astype(np.int64),
        distinct=len(values),
        digest=hashlib.blake2b(pixels.tobytes(), digest_size=16).digest(),
    )


def _is_jpeg(path: Path) -> bool:
    try:
        return read_picture_bytes(path).startswith(b"\xff\xd8\xff")
    except SegnextError:
        return False


@dataclass
class ValueCounts:
    """How many pixels and how many masks hold each value.

    Attributes:
        pixels: By value.
        masks: By value.
    """

    pixels: Counter[int]
    masks: Counter[int]

    @classmethod
    def of(cls, masks: "list[MaskReading]") -> "ValueCounts":
        """Add up some masks."""
        found = cls(Counter(), Counter())
        for mask in masks:
            values = mask.values.tolist()
            found.masks.update(values)
            for value, count in zip(values, mask.counts.tolist(), strict=True):
                found.pixels[value] += count
        return found
