import multiprocessing
import os
import signal
import sys

import numpy as np
import pytest
import torch

from class_photos import SMALLEST
from segnext.classification.photos import ViewedPhotos
from segnext.classification.scoring import ClassScores, score_photos
from segnext.data.watching import WorkerDiedError
from segnext.models import Classifier, ClassifierConfig

CONFUSION = np.array([[3, 1, 0], [0, 2, 0], [2, 2, 0]])


def build_scores(confusion: np.ndarray, in_top5: int = 0) -> ClassScores:
    none = np.zeros(0)
    return ClassScores(confusion, in_top5, 5.0, none.astype(np.int64), none.astype(np.float32))


def test_scores_by_hand() -> None:
    scores = build_scores(CONFUSION)
    assert scores.photos == 10
    assert scores.top1 == 0.5
    assert scores.loss == 0.5
    assert scores.top5 is None
    assert scores.accuracy_per_class().tolist() == [0.75, 1.0, 0.0]
    precision = scores.precision_per_class()
    assert precision[:2].tolist() == [0.6, 0.4]
    assert np.isnan(precision[2])  # never predicted
    assert scores.describe() == "top-1 50.0%  loss 0.500"


def test_top5_counts_for_six_classes_and_more() -> None:
    scores = build_scores(np.eye(6, dtype=np.int64), in_top5=3)
    assert scores.top5 == 0.5
    assert scores.describe() == "top-1 100.0%  top-5 50.0%  loss 0.833"


class _Photos:
    """Stands for `ViewedPhotos`: noise with labels."""

    def __init__(self, count: int, classes: int) -> None:
        generator = torch.Generator().manual_seed(0)
        self.images = torch.randn(count, 3, 32, 32, generator=generator)
        self.labels = torch.randint(classes, (count,), generator=generator)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.images[index], self.labels[index]


@pytest.mark.parametrize("classes", [3, 9])
def test_counts_are_those_of_the_logits(classes: int) -> None:
    model = Classifier(ClassifierConfig(num_classes=classes, **SMALLEST)).eval()
    torch.nn.init.normal_(model.head.weight)
    photos = _Photos(10, classes)
    seen: list[tuple[int, int]] = []
    scores = score_photos(
        model,
        photos,  # type: ignore[arg-type]
        batch_size=4,
        on_photo=lambda done, total: seen.append((done, total)),
    )
    with torch.no_grad():
        logits = model(photos.images)
    best = logits.argmax(1)
    assert scores.predicted.tolist() == best.tolist()
    for true, predicted in zip(photos.labels.tolist(), best.tolist(), strict=True):
        assert scores.confusion[true, predicted] > 0
    assert scores.confusion.sum() == 10
    assert scores.top1 == pytest.approx((best == photos.labels).double().mean().item())
    loss = torch.nn.functional.cross_entropy(logits, photos.labels).item()
    assert scores.loss == pytest.approx(loss, abs=1e-5)
    order = logits.argsort(1, descending=True)[:, :5].tolist()
    among = sum(label in row for label, row in zip(photos.labels.tolist(), order, strict=True))
    assert scores.in_top5 == among
    assert seen == [(4, 10), (8, 10), (10, 10)]


@pytest.mark.skipif(sys.platform == "win32", reason="kills are for POSIX here")
def test_a_dead_worker_is_named() -> None:
    model = Classifier(ClassifierConfig(num_classes=3, **SMALLEST)).eval()

    def kill(done: int, total: int) -> None:
        for child in multiprocessing.active_children():
            os.kill(child.pid or 0, signal.SIGKILL)

    photos: ViewedPhotos = _Photos(10, 3)  # type: ignore[assignment]
    with pytest.raises(WorkerDiedError, match=r"reading worker (with process id \d+ )?died"):
        score_photos(model, photos, batch_size=1, num_workers=1, on_photo=kill)


def test_no_photos_in_a_share_are_no_photos() -> None:
    model = Classifier(ClassifierConfig(num_classes=3, **SMALLEST)).eval()
    empty: ViewedPhotos = _Photos(0, 3)  # type: ignore[assignment]
    assert score_photos(model, empty).confusion.sum() == 0
