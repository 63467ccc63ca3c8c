"""Everything a report says, as plain values: what the page, the JSON and the CSV files are made of.

The JSON schema is derived from these classes, so it cannot differ from what is written. Shares and
scores are 0-1; `None` stands for what is undefined.
"""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from segnext.report.bootstrap import Interval
from segnext.report.confidences import Calibration

FORMAT = 1
Score = float | None


@dataclass(frozen=True)
class ClassFigures:
    """Scores of a class over the split.

    Attributes:
        name: Of the class.
        iou: TP / (TP + FP + FN).
        interval: Of the IoU.
        precision: TP / (TP + FP).
        recall: TP / (TP + FN), the class's accuracy.
        dice: 2 TP / (2 TP + FP + FN).
        boundary_iou: By width.
        pixels: Of the truth.
        images: Pictures whose truth holds it.
    """

    name: str
    iou: Score
    interval: Interval | None
    precision: Score
    recall: Score
    dice: Score
    boundary_iou: tuple[Score, ...]
    pixels: int
    images: int


@dataclass(frozen=True)
class SizeFigures:
    """Connected components of the truth of one class and size.

    Attributes:
        label: Name of the class; `None` for all together.
        size: `small`, `medium` or `large`.
        objects: Components.
        found: Share of them of which at least half is right.
        recall: Share of their pixels that is right.
    """

    label: str | None
    size: str
    objects: int
    found: Score
    recall: Score


@dataclass(frozen=True)
class Behind:
    """How much of a confusion one picture holds."""

    picture: str
    pixels: int


@dataclass(frozen=True)
class Confusion:
    """Pixels of one class that were taken for another.

    Attributes:
        truth: Name of the class.
        prediction: What it was taken for.
        pixels: How many.
        pictures: Those that hold most of them, the first the most.
    """

    truth: str
    prediction: str
    pixels: int
    pictures: tuple[Behind, ...]


@dataclass(frozen=True)
class PictureFigures:
    """Scores of a picture.

    Attributes:
        name: Below the image folder, without suffix.
        group: What it belongs to; its name without a rule.
        miou: Mean IoU over the labels in its truth or prediction.
        pixel_accuracy: Share of its counted pixels that is right.
        pixels: Counted pixels.
        wrong: Counted pixels that are wrong.
        confidence: Mean probability of its labels.
        seconds: From the picture in memory to its mask.
    """

    name: str
    group: str
    miou: Score
    pixel_accuracy: Score
    pixels: int
    wrong: int
    confidence: Score
    seconds: float


@dataclass(frozen=True)
class SuspectFigures:
    """A region where a confident model disagrees with the truth.

    Attributes:
        picture: Name.
        box: Left, top, width, height [px].
        pixels: Of the region.
        truth: Class in the mask.
        prediction: Class that the model sees.
        confidence: Mean probability there.
    """

    picture: str
    box: tuple[int, int, int, int]
    pixels: int
    truth: str
    prediction: str
    confidence: float


@dataclass(frozen=True)
class Cost:
    """What the evaluation took.

    Attributes:
        device: What the network ran on.
        backend: What ran it.
        seconds: Of everything, with reading and counting.
        median_ms: Of a picture in memory to its mask.
        slowest_ms: The same, of the slowest picture.
        peak_memory_mb: The most that the process held [10**6 bytes].
        peak_device_memory_mb: The most that torch held on a CUDA device [10**6 bytes].
    """

    device: str
    backend: str
    seconds: float
    median_ms: float
    slowest_ms: float
    peak_memory_mb: float
    peak_device_memory_mb: float | None


@dataclass(frozen=True)
class Starts:
    """The score by other first bases of the decomposition, drawn anew for each picture.

    Attributes:
        fixed: mIoU by the start that is stored with the weights.
        drawn: mIoU by each seed, from 0.
        mean: Of `drawn`.
        spread: Sample standard deviation of `drawn`; `None` for a single seed.
    """

    fixed: float
    drawn: tuple[float, ...]
    mean: float
    spread: float | None


@dataclass(frozen=True)
class Report:
    """What is known about a model on a split.

    Attributes:
        format: Of this description.
        version: Of the package.
        weights: What was evaluated.
        model: Name of the model.
        data: Folder.
        split: Name of the split.
        dataset: The known data set it is, or `None`.
        protocol: How pictures became masks, in words.
        protocol_options: The same as values.
        images: Pictures in the split.
        pixels: Counted pixels.
        miou: Mean IoU over present labels.
        interval: Of the mIoU.
        pixel_accuracy: Share of counted pixels that is right.
        mean_accuracy: Mean recall over labels in the truth.
        mean_dice: Mean Dice over present labels.
        frequency_weighted_iou: IoU weighted by share of the truth.
        boundary_widths_px: Of Boundary IoU.
        mean_boundary_iou: By width, over labels with a border.
        worst_class: Name of the class with the least IoU.
        absent: Classes in neither truth nor prediction, left out of the means.
        classes: In the order of train ids.
        sizes: All classes together, then each.
        confusion: Pixels; rows are the truth, columns the prediction.
        confusions: The largest first.
        calibration: `None` where there are no probabilities.
        pictures: In the order of the split.
        worst: Names of the pictures that are shown as worst, the worst first.
        best: As best, the best first.
        random: As drawn at random.
        suspects: Where the truth may be wrong, the largest first.
        cost: Time and memory.
        starts: The score by other first bases, where asked for.
    """

    format: int
    version: str
    weights: str
    model: str
    data: str
    split: str
    dataset: str | None
    protocol: str
    protocol_options: dict[str, Any]
    images: int
    pixels: int
    miou: Score
    interval: Interval | None
    pixel_accuracy: Score
    mean_accuracy: Score
    mean_dice: Score
    frequency_weighted_iou: Score
    boundary_widths_px: tuple[int, ...]
    mean_boundary_iou: tuple[Score, ...]
    worst_class: str | None
    absent: tuple[str, ...]
    classes: tuple[ClassFigures, ...]
    sizes: tuple[SizeFigures, ...]
    confusion: tuple[tuple[int, ...], ...]
    confusions: tuple[Confusion, ...]
    calibration: Calibration | None
    pictures: tuple[PictureFigures, ...]
    worst: tuple[str, ...]
    best: tuple[str, ...]
    random: tuple[str, ...]
    suspects: tuple[SuspectFigures, ...]
    cost: Cost
    starts: Starts | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description; undefined values are `None`."""
        return _to_dict(self)


@dataclass(frozen=True)
class ClassChange:
    """IoU of a class by two models.

    Attributes:
        name: Of the class.
        first: IoU by the first model.
        second: IoU by the second model.
        difference: Second less first.
        interval: Of the difference, from pairs.
    """

    name: str
    first: Score
    second: Score
    difference: Score
    interval: Interval | None


@dataclass(frozen=True)
class PictureChange:
    """mIoU of a picture by two models."""

    name: str
    group: str
    first: Score
    second: Score
    difference: Score


@dataclass(frozen=True)
class Duel:
    """Two models on the same pictures.

    Attributes:
        format: Of this description.
        version: Of the package.
        first: What the first model was opened from.
        second: What the second one was.
        data: Folder.
        split: Name of the split.
        first_protocol: How pictures became masks by the first model.
        second_protocol: And by the second.
        images: Pictures in the split.
        first_miou: mIoU of the first model.
        second_miou: mIoU of the second model.
        difference: Second less first.
        interval: Of the difference, from pairs.
        share_better: Share of the draws in which the second model is the better one.
        classes: In the order of train ids.
        pictures: In the order of the split.
    """

    format: int
    version: str
    first: str
    second: str
    data: str
    split: str
    first_protocol: str
    second_protocol: str
    images: int
    first_miou: Score
    second_miou: Score
    difference: Score
    interval: Interval | None
    share_better: Score
    classes: tuple[ClassChange, ...]
    pictures: tuple[PictureChange, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description; undefined values are `None`."""
        return _to_dict(self)


def to_json(figures: Report | Duel) -> bytes:
    """Return figures as JSON."""
    return TypeAdapter(type(figures)).dump_json(figures, indent=1)


def schema_of(kind: type[Report] | type[Duel]) -> bytes:
    """Return the JSON schema of a kind of figures."""
    schema = TypeAdapter(kind).json_schema(mode="serialization")
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(dialect | schema, indent=1).encode()


def _to_dict(figures: Report | Duel) -> dict[str, Any]:
    return TypeAdapter(type(figures)).dump_python(figures, mode="json")  # type: ignore[no-any-return]
