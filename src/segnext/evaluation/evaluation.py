"""A model's score on a split, comparable because everything that decides it is named."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segnext.classes import Classes
from segnext.data import Folder, open_folder
from segnext.errors import DataError
from segnext.inference import choose_device, place_model, score_images
from segnext.metrics import Metrics, compute_metrics
from segnext.spec import ModelSpec, Protocol
from segnext.weights import load_models, spec_of
from segnext.weights.ensemble import Source


@dataclass(frozen=True)
class Evaluation:
    """The score of a model on a split.

    Attributes:
        metrics: From the confusion matrix of the whole split.
        spec: Of the model, with the protocol that was used.
        split: Name of the split.
        images: Pictures in it.
    """

    metrics: Metrics
    spec: ModelSpec
    split: str
    images: int

    @property
    def miou(self) -> float:
        """Mean IoU over present labels, 0-1."""
        return self.metrics.miou

    @property
    def absent_names(self) -> tuple[str, ...]:
        """Labels found neither in truth nor in prediction, left out of the means."""
        return tuple(self.spec.classes.label_names[index] for index in self.metrics.absent)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description; undefined values are `None`."""
        names, metrics = self.spec.classes.label_names, self.metrics
        return {
            "miou": _json(metrics.miou),
            "iou_per_class": _by_name(names, metrics.iou_per_class),
            "pixel_accuracy": _json(metrics.pixel_accuracy),
            "mean_accuracy": _json(metrics.mean_accuracy),
            "mean_dice": _json(metrics.mean_dice),
            "frequency_weighted_iou": _json(metrics.frequency_weighted_iou),
            "accuracy_per_class": _by_name(names, metrics.accuracy_per_class),
            "dice_per_class": _by_name(names, metrics.dice_per_class),
            "absent": list(self.absent_names),
            "images": self.images,
            "pixels": metrics.pixels,
            "split": self.split,
            "protocol": self.spec.protocol.describe(),
        }


def evaluate(
    model: Source | Sequence[Source],
    data: str | Path,
    *,
    split: str = "val",
    protocol: Protocol | None = None,
    device: str | None = None,
    group: str | None = None,
    ignore_index: tuple[int, ...] = (),
    split_seed: int = 0,
    format: str | None = None,
    on_image: Callable[[int, int], None] = lambda _done, _total: None,
) -> Evaluation:
    """Score a model on a split of a folder.

    Args:
        model: A model with a spec, a weights file, name or URL, a cross-validation's folder, or a
            list of these, whose probabilities are averaged.
        data: Folder or data.yaml, read as in training.
        split: Which split.
        protocol: Sizes, windows, scales and mirror; the weights' own if not given.
        device: `cpu`, `cuda` or `mps`; the fastest there is if not given.
        group: As in training, for folders without splits.
        ignore_index: Mask values that count for nothing, besides 255.
        split_seed: As in training, for folders without splits.
        format: Of the data; found out if not given.
        on_image: Called with pictures done and in all.

    Raises:
        DataError: The folder cannot be read, or has other classes than the model.
        WeightsError: The weights cannot be loaded.
        UsageError: The model has no spec, or a value is out of range.
    """
    models = load_models(model)
    spec = spec_of(models[0])
    spec = replace(spec, protocol=protocol or spec.protocol)
    folder = open_folder(
        data, group=group, ignore_index=ignore_index, split_seed=split_seed, format=format
    )
    check_same_classes(spec.classes, folder)
    images = folder.dataset(split)
    images.check()
    matrix = score_images(
        [place_model(model, choose_device(device)).eval() for model in models],
        spec,
        images,
        on_image=lambda done: on_image(done, len(images)),
    )
    return Evaluation(compute_metrics(matrix.counts), spec, split, len(images))


def check_same_classes(classes: Classes, folder: Folder) -> None:
    """Refuse a folder whose classes are not those of the model, in the same order.

    Raises:
        DataError: Names the first difference.
    """
    ours, theirs = classes.names, folder.classes.names
    if ours == theirs:
        return
    if len(ours) != len(theirs):
        msg = f"{folder.root} has {len(theirs)} classes, the model {len(ours)}"
        raise DataError(msg)
    if theirs == Classes.numbered(len(theirs)).names:
        return  # the folder names no classes, so only their number can be compared
    index = next(i for i, pair in enumerate(zip(ours, theirs, strict=True)) if pair[0] != pair[1])
    msg = (
        f"{folder.root}: class {index} is {theirs[index]!r}, but {ours[index]!r} in the model; "
        f"the order of classes.txt must be that of training"
    )
    raise DataError(msg)


def _by_name(names: tuple[str, ...], values: Any) -> dict[str, float | None]:
    return {name: _json(value) for name, value in zip(names, values.tolist(), strict=True)}


def _json(value: float) -> float | None:
    return None if math.isnan(value) else value
