"""Weights and a folder of photos by class to a report: scores, classes, confusions."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segnext.classification.files import ClassifierSpec, load_classifier
from segnext.classification.photos import ViewedPhotos
from segnext.classification.scoring import ClassScores, score_photos
from segnext.data.datasets.class_folders import read_class_folders
from segnext.data.datasets.imagenet import ImageSplit
from segnext.errors import UsageError
from segnext.inference import choose_device
from segnext.storage import write_atomically

SPLITS = ("train", "val")


@dataclass(frozen=True)
class Confusion:
    """Photos of one class that were taken for another.

    Attributes:
        true: Class of the photos.
        predicted: Class that they were taken for.
        count: How many.
        files: Of these photos, the surest mistakes first.
    """

    true: int
    predicted: int
    count: int
    files: tuple[Path, ...]


@dataclass(frozen=True)
class ClassReport:
    """What weights make of a split.

    Attributes:
        spec: Of the weights.
        split: `train` or `val`.
        scores: Of the split.
        photos: The split.
    """

    spec: ClassifierSpec
    split: str
    scores: ClassScores
    photos: ImageSplit

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each class; what is undefined is `None`."""
        scores = self.scores
        counts = scores.confusion.sum(axis=1).tolist()
        accuracies = scores.accuracy_per_class().tolist()
        precisions = scores.precision_per_class().tolist()
        columns = (self.spec.folders, self.spec.names, counts, accuracies, precisions)
        return [
            {
                "folder": folder,
                "class": name,
                "photos": count,
                "accuracy": _defined(accuracy),
                "precision": _defined(precision),
            }
            for folder, name, count, accuracy, precision in zip(*columns, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything that `--json` prints."""
        return {
            "split": self.split,
            "photos": self.scores.photos,
            "top1": self.scores.top1,
            "top5": self.scores.top5,
            "loss": self.scores.loss,
            "view": self.spec.view.describe(),
            "model": self.spec.model,
            "license": self.spec.license,
            "classes": self.rows(),
        }

    def confusions(self) -> list[Confusion]:
        """Return which classes were taken for which, the most frequent first."""
        matrix = self.scores.confusion.copy()
        np.fill_diagonal(matrix, 0)
        pairs = sorted(
            zip(*(axis.tolist() for axis in np.nonzero(matrix)), strict=True),
            key=lambda pair: (-matrix[pair], pair),
        )
        return [self._collect(true, predicted) for true, predicted in pairs]

    def _collect(self, true: int, predicted: int) -> Confusion:
        scores = self.scores
        among = np.flatnonzero((self.photos.labels == true) & (scores.predicted == predicted))
        surest = among[np.argsort(-scores.probability[among], kind="stable")]
        files = tuple(self.photos[int(index)][0] for index in surest)
        return Confusion(true, predicted, len(files), files)

    def write_per_class(self, path: Path) -> None:
        """Write the table of classes as CSV; undefined values stay empty."""
        text = io.StringIO()
        rows = self.rows()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({n: f"{v:.6f}" if isinstance(v, float) else v for n, v in row.items()})
        write_atomically(path, text.getvalue().encode())


def evaluate(
    weights: str | Path,
    data: str | Path,
    *,
    split: str = "val",
    device: str | None = None,
    num_workers: int = 0,
    batch_size: int = 64,
    on_photo: Callable[[int, int], None] | None = None,
) -> ClassReport:
    """Score a classifier on a split.

    Args:
        weights: A file of `segnext classify train`.
        data: Folder with the split, and in it a folder of photos for each class of the weights.
            Classes without photos are left out of the scores.
        split: `train` or `val`.
        device: `cpu`, `cuda` or `mps`; the fastest there is if not given.
        num_workers: Processes that read ahead.
        batch_size: Photos at once.
        on_photo: Called with how many are done and in all.

    Raises:
        UsageError: There is no such split.
        WeightsError: The weights are no classifier.
        DataError: The folder has classes that the weights do not know, or a photo is broken.
    """
    if split not in SPLITS:
        msg = f"unknown split {split!r}: one of {', '.join(SPLITS)}"
        raise UsageError(msg)
    model, spec = load_classifier(weights, device=choose_device(device))
    folder = read_class_folders(Path(data), classes=spec.folders, needed=(split,))
    photos = folder.splits[split]
    scores = score_photos(
        model,
        ViewedPhotos(photos, spec.view, spec.normalization),
        batch_size=batch_size,
        num_workers=num_workers,
        on_photo=on_photo,
    )
    return ClassReport(spec, split, scores, photos)


def _defined(value: float) -> float | None:
    return None if value != value else value
