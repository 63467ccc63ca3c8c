"""Which unlabelled pictures to label next: those the network is unsure about, and all different.

Uncertainty of a picture is the mean, over its pixels, of 1 less the probability of the label: the
"least confident" rule (Settles, Active Learning Literature Survey, 2009, section 3.1). Taking the
most uncertain pictures alone gives frame after frame of one scene. So they are taken one by one as
in the greedy k-center rule (Sener and Savarese, Active Learning for Convolutional Neural Networks:
A Core-Set Approach, ICLR 2018): next comes the picture with the largest distance to the nearest of
those taken, here times its uncertainty. The product is ours.

Distance, 0-1, is the mean of two: how much of the picture has another label, by the shares of
classes in the cells of a grid; and how different thumbnails are. Neither needs the network, so
suggestions can be made again from the files that predictions left.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segnext.classes import Classes, Mask
from segnext.data import read_image
from segnext.data.duplicates import sketch_picture
from segnext.data.masks import read_stored
from segnext.data.reading import read_ahead
from segnext.errors import UsageError
from segnext.storage import replace_atomically

GRID = 4

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Suggestion:
    """A picture to label.

    Attributes:
        path: The picture.
        uncertainty: Mean of 1 less the probability of each pixel's label, 0-1.
        difference: Distance to the nearest picture that was suggested before it, 0-1; 1 for the
            first.
    """

    path: Path
    uncertainty: float
    difference: float


@dataclass(frozen=True, eq=False)
class _Described:
    """A picture: its uncertainty, shares of labels by cell, and thumbnail of length 1 or 0."""

    uncertainty: float
    layout: Vector
    thumbnail: Vector


def suggest_pictures(
    out: str | Path, images: Mapping[str, Path], classes: Classes, count: int
) -> list[Suggestion]:
    """Choose pictures to label, the most useful first.

    Args:
        out: Folder of `predict_images`, with `masks/` and `confidence/`.
        images: Path of each picture by its output name.
        classes: What the masks' ids mean.
        count: How many; all that there are if they are fewer.

    Raises:
        UsageError: `count` is less than 1.
        DataError: A file cannot be read.
    """
    if count < 1:
        msg = f"the number of suggestions must be at least 1, got {count}"
        raise UsageError(msg)
    folder = Path(out)

    def describe(item: tuple[str, Path]) -> _Described:
        name, path = item
        mask, confidence = (
            read_stored(folder / kind / f"{name}.png")[1][..., 0]
            for kind in ("masks", "confidence")
        )
        return _Described(
            1 - float(confidence.mean()) / 255,
            _describe_layout(mask, classes.num_labels),
            sketch_picture(read_image(path)).thumbnail,
        )

    described = [reading.result() for _, reading in read_ahead(describe, images.items())]
    paths = [*images.values()]
    return [
        Suggestion(paths[place], described[place].uncertainty, difference)
        for place, difference in _choose(described, count)
    ]


def _describe_layout(mask: Mask, num_labels: int) -> Vector:
    """Return the share of each label in each cell of a grid, (cells * L,); the sum is 1."""
    rows, columns = (np.arange(size) * GRID // size for size in mask.shape)
    cells = rows[:, None] * GRID + columns
    counts = np.bincount((cells * num_labels + mask).reshape(-1), minlength=GRID**2 * num_labels)
    return (counts / mask.size).astype(np.float32)


def _choose(described: list[_Described], count: int) -> list[tuple[int, float]]:
    """Return positions in the order of choice, with the distance to the nearest chosen before."""
    if not described:
        return []
    uncertainty = np.array([one.uncertainty for one in described])
    layouts = np.stack([one.layout for one in described])
    thumbnails = np.stack([one.thumbnail for one in described])
    nearest = np.ones(len(described))
    left = np.ones(len(described), np.bool_)
    chosen: list[tuple[int, float]] = []
    while len(chosen) < min(count, len(described)):
        # Where all are copies of chosen ones, uncertainty decides.
        best = max(
            np.flatnonzero(left), key=lambda i: (uncertainty[i] * nearest[i], uncertainty[i])
        )
        chosen.append((int(best), float(nearest[best])))
        left[best] = False
        moved = np.abs(layouts - layouts[best]).sum(axis=1) / 2
        # Of vectors of length 1: (1 - correlation) / 2; flat pictures, of length 0, are alike.
        looks = np.square(thumbnails - thumbnails[best]).sum(axis=1) / 4
        nearest = np.minimum(nearest, (moved + looks) / 2)
    return chosen


def write_suggestions(path: Path, suggestions: list[Suggestion]) -> None:
    """Write a CSV, the most useful picture first, complete or not at all."""
    with (
        replace_atomically(path) as temporary,
        # Names that are no UTF-8 keep their bytes.
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        table = csv.writer(file)
        table.writerow(("rank", "image", "uncertainty", "difference"))
        for rank, one in enumerate(suggestions, 1):
            table.writerow((rank, one.path, f"{one.uncertainty:.4f}", f"{one.difference:.4f}"))
