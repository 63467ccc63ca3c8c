"""A model's score on a split, comparable because everything that decides it is named."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segnext.classes import Classes
from segnext.data import Folder, FolderDataset, open_folder
from segnext.data.stitching import StitchedPictures, stitch_patches
from segnext.errors import DataError, list_some
from segnext.inference import Source, named_protocol, open_networks, score_images
from segnext.inference.protocols import find_dataset
from segnext.metric_rules import RULES, ade20k_score
from segnext.metrics import Metrics, compute_metrics
from segnext.protocol import Protocol
from segnext.spec import ModelSpec
from segnext.weights import spec_of


@dataclass(frozen=True)
class Evaluation:
    """The score of a model on a split.

    Attributes:
        metrics: From the confusion matrix of the whole split.
        spec: Of the model, with the protocol that was used.
        split: Name of the split.
        images: Pictures in it.
        counts: The confusion matrix (L, L), rows truth, columns prediction.
        dataset: The known data set it is, or `None`.
    """

    metrics: Metrics
    spec: ModelSpec
    split: str
    images: int
    counts: npt.NDArray[np.int64]
    dataset: str | None = None

    @property
    def miou(self) -> float:
        """Mean IoU over present labels, 0-1."""
        return self.metrics.miou

    @property
    def absent_names(self) -> tuple[str, ...]:
        """Labels found neither in truth nor in prediction, left out of the means."""
        return tuple(self.spec.classes.label_names[index] for index in self.metrics.absent)

    @property
    def ade20k_score(self) -> float | None:
        """What the scene parsing challenge ranks by, 0-1; `None` for other data sets."""
        return ade20k_score(self.counts) if self.dataset == "ade20k" else None

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description; undefined values are `None`."""
        names, metrics = self.spec.classes.label_names, self.metrics
        rules = {name: json_number(rule(self.counts)) for name, rule in RULES.items()}
        challenge = self.ade20k_score
        return {
            "miou": json_number(metrics.miou),
            "iou_per_class": _by_name(names, metrics.iou_per_class),
            "pixel_accuracy": json_number(metrics.pixel_accuracy),
            "mean_accuracy": json_number(metrics.mean_accuracy),
            "mean_dice": json_number(metrics.mean_dice),
            "frequency_weighted_iou": json_number(metrics.frequency_weighted_iou),
            "accuracy_per_class": _by_name(names, metrics.accuracy_per_class),
            "dice_per_class": _by_name(names, metrics.dice_per_class),
            "absent": list(self.absent_names),
            "images": self.images,
            "pixels": metrics.pixels,
            "split": self.split,
            "dataset": self.dataset,
            "protocol": self.spec.protocol.describe(),
            "protocol_options": asdict(self.spec.protocol),
            "published_rules": rules,
            **({} if challenge is None else {"ade20k_score": json_number(challenge)}),
        }


def evaluate(
    model: Source | Sequence[Source],
    data: str | Path | Folder,
    *,
    split: str = "val",
    protocol: Protocol | str | None = None,
    dataset: str | None = None,
    device: str | None = None,
    backend: str | None = None,
    group: str | None = None,
    ignore_index: tuple[int, ...] = (),
    split_seed: int = 0,
    format: str | None = None,
    stitch: bool = False,
    on_image: Callable[[int, int], None] = lambda _done, _total: None,
) -> Evaluation:
    """Score a model on a split of a folder.

    Args:
        model: A model with a spec, a weights file, name or URL, a cross-validation's folder, a file
            that `segnext export` wrote, or a list of these, whose probabilities are averaged.
        data: Folder or data.yaml, read as in training, or what `open_folder` returned.
        split: Which split.
        protocol: Sizes, windows, scales and mirror, or the name of a protocol; the weights' own
            if not given.
        dataset: Whose rules a name stands for; known from the data or the classes if not given.
        device: `cpu`, `cuda` or `mps`; the fastest there is if not given.
        backend: What runs the network, as in `open_runner`; if not given the model as it was
            trained, or an exported file's own runtime.
        group: As in training, for folders without splits.
        ignore_index: Mask values that count for nothing, besides 255.
        split_seed: As in training, for folders without splits.
        format: Of the data; found out if not given.
        stitch: Put patches together to whole pictures first, so that each pixel counts once.
        on_image: Called with pictures done and in all.

    Raises:
        DataError: The folder cannot be read, or has other classes than the model.
        WeightsError: The weights cannot be loaded.
        UsageError: The model has no spec, or a value is out of range.
    """
    networks = open_networks(model, backend=backend, device=device)
    spec = spec_of(networks[0])
    folder = (
        data
        if isinstance(data, Folder)
        else open_folder(
            data, group=group, ignore_index=ignore_index, split_seed=split_seed, format=format
        )
    )
    dataset = find_dataset(spec.classes, folder.format, dataset)
    if isinstance(protocol, str):
        protocol = named_protocol(protocol, dataset, spec.protocol)
    spec = replace(spec, protocol=protocol or spec.protocol)
    images = open_split(spec, folder, split, stitch=stitch)
    counts = score_images(
        networks,
        spec,
        images,
        on_image=lambda done: on_image(done, len(images)),
    ).counts
    return Evaluation(compute_metrics(counts), spec, split, len(images), counts, dataset)


def open_split(
    spec: ModelSpec, folder: Folder, split: str, *, stitch: bool = False
) -> FolderDataset | StitchedPictures:
    """Return a split that a model can be scored on, from patches stitched if asked for.

    Raises:
        DataError: There is no such split, it has other classes, or its first masks are wrong.
    """
    check_same_classes(spec.classes, folder)
    images = folder.dataset(split)
    images.check()
    return stitch_patches(images) if stitch else images


def check_same_classes(classes: Classes, folder: Folder) -> None:
    """Refuse a folder whose classes are not those of the model, in the same order.

    Raises:
        DataError: Names the first difference.
    """
    ours, theirs = classes.names, folder.classes.names
    if ours == theirs:
        return
    if len(ours) != len(theirs):
        more, fewer, who = (
            (theirs, ours, "data") if len(theirs) > len(ours) else (ours, theirs, "model")
        )
        alone = list_some(name for name in more if name not in fewer)
        msg = (
            f"{folder.root} has {len(theirs)} classes, the model {len(ours)}; in the {who} alone: "
            f"{alone or 'none'}; give the data.yaml of training, with its merge, drop and options"
        )
        raise DataError(msg)
    if Classes.numbered(len(theirs)).names in (ours, theirs):
        return  # one of them names no classes, so only their number can be compared
    index = next(i for i, pair in enumerate(zip(ours, theirs, strict=True)) if pair[0] != pair[1])
    msg = (
        f"{folder.root}: class {index} is {theirs[index]!r}, but {ours[index]!r} in the model; "
        f"the order of classes.txt must be that of training"
    )
    raise DataError(msg)


def _by_name(names: tuple[str, ...], values: Any) -> dict[str, float | None]:
    return {name: json_number(value) for name, value in zip(names, values.tolist(), strict=True)}


def json_number(value: float) -> float | None:
    """Return a score as JSON can hold it: `None` where it is undefined."""
    return None if math.isnan(value) else value
