"""Pictures that are nearly the same, found from small sketches of them.

A difference hash finds candidates fast, the correlation of thumbnails confirms them. Copies that
were resized, packed anew or made a little brighter are found, as are neighbouring frames of a
slow video; mirrored and cropped ones are not.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
import numpy.typing as npt

from segnext.data.folder import Folder, FolderDataset
from segnext.data.images import Image
from segnext.data.statistics import spread_sample
from segnext.errors import DataError

MAX_DIFFERING_BITS = 10
LEAST_CORRELATION = 0.9
# Pictures of each split, spread evenly, that are compared.
COMPARED = 2000
EXAMPLES = 5

_SIDE = 32
_BAND = 512


@dataclass(frozen=True)
class Sketch:
    """A small description of one picture.

    Attributes:
        signs: (64,), +1 where brightness rises to the right on an 8 x 8 grid, else -1.
        thumbnail: (1024,), 32 x 32 brightness of mean 0 and length 1; zeros for a flat picture.
    """

    signs: npt.NDArray[np.float32]
    thumbnail: npt.NDArray[np.float32]


def sketch_picture(image: Image) -> Sketch:
    """Describe a picture (H, W, C) of any depth and size."""
    # OpenCV resizes at most four channels at a time.
    channels = [np.ascontiguousarray(channel) for channel in np.moveaxis(image, 2, 0)]
    shrunk = [
        cv2.resize(channel, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA) for channel in channels
    ]
    grey = np.mean(shrunk, axis=0, dtype=np.float32)
    coarse = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA)
    signs = np.where(np.diff(coarse, axis=1) > 0, 1, -1).astype(np.float32).reshape(-1)
    centred = (grey - grey.mean()).reshape(-1)
    length = float(np.linalg.norm(centred))
    return Sketch(signs, centred / length if length > 0 else centred)


@dataclass(frozen=True)
class Resemblances:
    """Which pictures of one sequence nearly repeat pictures of another.

    Attributes:
        pairs: Their number.
        pictures: Number of pictures of the second sequence that occur in a pair.
        first: The first few pairs, as positions in both sequences, ascending.
    """

    pairs: int
    pictures: int
    first: tuple[tuple[int, int], ...]


def find_near_duplicates(one: Sequence[Sketch], other: Sequence[Sketch]) -> Resemblances:
    """Compare every picture of one sequence with every one of another.

    5,000 with 5,000 take seconds. Flat pictures, which show nothing, resemble none.
    """
    if not one or not other:
        return Resemblances(0, 0, ())
    signs = np.stack([sketch.signs for sketch in other])
    thumbnails = np.stack([sketch.thumbnail for sketch in other])
    count, first = 0, np.zeros((0, 2), np.intp)
    repeated = np.zeros(len(other), np.bool_)
    # In bands: a static camera can make a pair of any two pictures.
    for start in range(0, len(one), _BAND):
        band = one[start : start + _BAND]
        # Signs that agree add 1 to the product and those that differ take 1 away.
        agreement = np.stack([sketch.signs for sketch in band]) @ signs.T
        near = agreement >= signs.shape[1] - 2 * MAX_DIFFERING_BITS
        if near.any():
            correlation = np.stack([sketch.thumbnail for sketch in band]) @ thumbnails.T
            near &= correlation >= LEAST_CORRELATION
            count += int(near.sum())
            repeated |= near.any(axis=0)
            if len(first) < EXAMPLES:
                first = np.concatenate([first, np.argwhere(near) + np.array((start, 0))])[:EXAMPLES]
    pairs = tuple((position, partner) for position, partner in first.tolist())
    return Resemblances(count, int(repeated.sum()), pairs)


@dataclass(frozen=True)
class NearDuplicates:
    """Pictures of one split that nearly repeat pictures of another.

    Attributes:
        splits: Names of both.
        compared: Pictures of each that were compared.
        pairs: Number of pairs.
        pictures: Of the second split, that have a near-duplicate in the first.
        examples: The first pairs, by name.
    """

    splits: tuple[str, str]
    compared: tuple[int, int]
    pairs: int
    pictures: int
    examples: tuple[tuple[str, str], ...]


def compare_splits(folder: Folder) -> tuple[NearDuplicates, ...]:
    """Look for pictures of one split that nearly repeat pictures of another.

    A picture that cannot be read is left out: a broken one in test must not stop a training.

    Returns:
        One entry for each pair of splits that share any, in the order of the splits.
    """
    samples: dict[str, list[int]] = {}
    sketches: dict[str, list[Sketch]] = {}
    for split, part in folder.splits.items():
        read = _sketch(part, spread_sample(len(part), COMPARED))
        samples[split], sketches[split] = list(read), list(read.values())
    found = []
    for one, other in combinations(folder.splits, 2):
        near = find_near_duplicates(sketches[one], sketches[other])
        if near.pairs:
            ones, others = folder.splits[one].items, folder.splits[other].items
            examples = tuple(
                (ones[samples[one][first]].name, others[samples[other][second]].name)
                for first, second in near.first
            )
            compared = len(samples[one]), len(samples[other])
            found.append(
                NearDuplicates((one, other), compared, near.pairs, near.pictures, examples)
            )
    return tuple(found)


def _sketch(part: FolderDataset, sample: list[int]) -> dict[int, Sketch]:
    def read(index: int) -> Sketch | None:
        try:
            return sketch_picture(part.image(index))
        except DataError:
            return None

    with ThreadPoolExecutor() as threads:
        sketches = dict(zip(sample, threads.map(read, sample), strict=True))
    return {index: sketch for index, sketch in sketches.items() if sketch is not None}
