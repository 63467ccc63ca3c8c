"""Top-1, top-5 and the confusion of classes, exact in any number of processes.

Shapes: N photos, K classes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader

from segnext.classification.photos import ViewedPhotos
from segnext.data.loader import deliver, stack_samples, start_worker
from segnext.models import Classifier
from segnext.training.processes import Processes

TOP = 5


@dataclass(frozen=True)
class ClassScores:
    """How well a split was classified; sums of counts, never means of means.

    Attributes:
        confusion: (K, K) photos by class, rows true, columns predicted.
        in_top5: Photos whose class is among the five most probable.
        loss_sum: Sum of the cross-entropies of all photos.
        predicted: Class of each photo of this process's share, (n,).
        probability: Of that class, (n,).
    """

    confusion: npt.NDArray[np.int64]
    in_top5: int
    loss_sum: float
    predicted: npt.NDArray[np.int64]
    probability: npt.NDArray[np.float32]

    @property
    def photos(self) -> int:
        """N."""
        return int(self.confusion.sum())

    @property
    def top1(self) -> float:
        """Share of photos whose class is the most probable one."""
        return float(np.trace(self.confusion) / self.photos)

    @property
    def top5(self) -> float | None:
        """Share of photos whose class is among the top five; `None` for five classes or fewer."""
        return self.in_top5 / self.photos if len(self.confusion) > TOP else None

    @property
    def loss(self) -> float:
        """Mean cross-entropy."""
        return self.loss_sum / self.photos

    def accuracy_per_class(self) -> npt.NDArray[np.float64]:
        """Return the share of each class's photos that were found (K,); NaN without photos."""
        return _divide(np.diag(self.confusion), self.confusion.sum(axis=1))

    def precision_per_class(self) -> npt.NDArray[np.float64]:
        """Return the share of each class's predictions that were right (K,); NaN without any."""
        return _divide(np.diag(self.confusion), self.confusion.sum(axis=0))

    def describe(self) -> str:
        """Say the scores in a few words."""
        top5 = "" if self.top5 is None else f"  top-5 {self.top5:.1%}"
        return f"top-1 {self.top1:.1%}{top5}  loss {self.loss:.3f}"


def score_photos(
    model: Classifier,
    photos: ViewedPhotos,
    *,
    processes: Processes | None = None,
    batch_size: int = 64,
    num_workers: int = 0,
    on_photo: Callable[[int, int], None] | None = None,
) -> ClassScores:
    """Classify photos and count.

    Args:
        model: In evaluation mode.
        photos: This process's share; together all shares are the split.
        processes: That share the split; this one alone if not given.
        batch_size: Photos at once.
        num_workers: Processes that read ahead.
        on_photo: Called with how many are done and in all.
    """
    processes = processes or Processes.alone()
    parameter = next(model.parameters())
    device, classes = parameter.device, model.config.num_classes
    loader = DataLoader(
        photos,
        batch_size=batch_size,
        num_workers=num_workers,
        collate_fn=stack_samples,
        worker_init_fn=start_worker,
        pin_memory=device.type == "cuda",
    )
    confusion = torch.zeros(classes * classes, dtype=torch.int64, device=device)
    sums = torch.zeros(2, dtype=torch.float64, device=device)
    predicted: list[Tensor] = []
    probability: list[Tensor] = []
    done = 0
    with torch.inference_mode():
        for images, labels in deliver(loader):
            labels = labels.to(device)
            logits = model(
                images.to(device, memory_format=torch.channels_last, non_blocking=True)
            ).float()
            best = logits.softmax(dim=1).max(dim=1)
            confusion += torch.bincount(labels * classes + best.indices, minlength=classes**2)
            among = logits.topk(min(TOP, classes)).indices == labels[:, None]
            losses = functional.cross_entropy(logits, labels, reduction="none")
            sums += torch.stack([among.sum().double(), losses.double().sum()])
            predicted.append(best.indices.cpu())
            probability.append(best.values.cpu())
            done += len(labels)
            if on_photo is not None:
                on_photo(done, len(photos))
    in_top5, loss_sum = processes.sum(sums).tolist()
    return ClassScores(
        processes.sum(confusion).view(classes, classes).cpu().numpy(),
        int(in_top5),
        loss_sum,
        torch.cat(predicted or [torch.zeros(0, dtype=torch.int64)]).numpy(),
        torch.cat(probability or [torch.zeros(0)]).numpy(),
    )


def _divide(parts: npt.NDArray[np.int64], wholes: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        return np.asarray(parts / wholes, np.float64)
