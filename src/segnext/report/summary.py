"""From what was counted to the figures of a report."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median

import numpy as np

from segnext import __version__
from segnext.metrics import compute_metrics
from segnext.report.bootstrap import (
    Floats,
    Units,
    interval_of,
    iou_of,
    mean_defined,
    resample_iou,
)
from segnext.report.boundaries import WIDTHS
from segnext.report.figures import (
    FORMAT,
    Behind,
    ClassFigures,
    Confusion,
    Cost,
    PictureFigures,
    Report,
    Score,
    SizeFigures,
    SuspectFigures,
)
from segnext.report.observing import Subject
from segnext.report.sizes import SIZES
from segnext.report.tally import Tally

WORST = 12
BEST = 6
RANDOM = 6
_SEED = 0
# The rest is in the matrix.
MOST_CONFUSIONS = 1000


@dataclass(frozen=True)
class Setting:
    """What was evaluated on.

    Attributes:
        data: Folder.
        split: Name of the split.
        dataset: The known data set it is, or `None`.
        names: Of the pictures.
        groups: What each belongs to.
    """

    data: str
    split: str
    dataset: str | None
    names: Sequence[str]
    groups: Sequence[str]

    @property
    def units(self) -> Units:
        """What intervals are drawn over."""
        return Units.of(self.groups, self.names)


def summarize(subject: Subject, setting: Setting, tally: Tally, cost: Cost) -> Report:
    """Compute the figures of a report.

    Args:
        subject: The model.
        setting: The data.
        tally: What was counted.
        cost: Time and memory.
    """
    metrics = compute_metrics(tally.scores.confusion)
    names = subject.spec.classes.label_names
    draws, units = resample_iou(tally.scores.counts, setting.units), setting.units
    pictures = _describe_pictures(setting, tally)
    scores = np.array([np.nan if one.miou is None else one.miou for one in pictures])
    worst, best, random = choose_pictures(scores)
    iou = metrics.iou_per_class
    calibration = tally.calibration.summarize()
    return Report(
        format=FORMAT,
        version=__version__,
        weights=subject.name,
        model=subject.spec.model,
        data=setting.data,
        split=setting.split,
        dataset=setting.dataset,
        protocol=subject.spec.protocol.describe(),
        protocol_options=asdict(subject.spec.protocol),
        images=len(setting.names),
        pixels=metrics.pixels,
        miou=score(metrics.miou),
        interval=interval_of(mean_defined(draws), units),
        pixel_accuracy=score(metrics.pixel_accuracy),
        mean_accuracy=score(metrics.mean_accuracy),
        mean_dice=score(metrics.mean_dice),
        frequency_weighted_iou=score(metrics.frequency_weighted_iou),
        boundary_widths_px=WIDTHS,
        mean_boundary_iou=tuple(score(value) for value in mean_defined(tally.boundaries.iou)),
        worst_class=None if np.isnan(iou).all() else names[int(np.nanargmin(iou))],
        absent=tuple(names[label] for label in metrics.absent),
        classes=_describe_classes(names, tally, draws, units),
        sizes=_describe_sizes(names, tally),
        confusion=tuple(tuple(int(n) for n in row) for row in tally.scores.confusion),
        confusions=_list_confusions(names, setting, tally),
        calibration=calibration,
        pictures=pictures,
        worst=tuple(setting.names[number] for number in worst),
        best=tuple(setting.names[number] for number in best),
        random=tuple(setting.names[number] for number in random),
        suspects=tuple(
            SuspectFigures(
                setting.names[one.picture],
                one.box,
                one.pixels,
                names[one.truth],
                names[one.prediction],
                one.confidence,
            )
            for one in tally.suspects.found
        ),
        cost=cost,
    )


def score(value: float) -> Score:
    """Return a score as JSON can hold it: `None` where it is undefined."""
    return None if np.isnan(value) else float(value)


def choose_pictures(scores: Floats) -> tuple[list[int], list[int], list[int]]:
    """Return the numbers of the worst, the best and some random pictures, none of them twice.

    Args:
        scores: Of each picture; those without one (`nan`) are neither bad nor good.
    """
    order = [int(n) for n in np.argsort(scores, kind="stable") if not np.isnan(scores[n])]
    worst = order[:WORST]
    best = order[len(worst) :][::-1][:BEST]
    rest = sorted(set(range(len(scores))) - {*worst, *best})
    drawn = np.random.default_rng(_SEED).permutation(rest)[:RANDOM]
    return worst, best, sorted(int(number) for number in drawn)


def _describe_pictures(setting: Setting, tally: Tally) -> tuple[PictureFigures, ...]:
    counts = tally.scores.counts
    mious = mean_defined(iou_of(counts))
    pixels, right = counts[:, 1].sum(axis=1), counts[:, 0].sum(axis=1)
    return tuple(
        PictureFigures(
            name=setting.names[number],
            group=setting.groups[number],
            miou=score(mious[number]),
            pixel_accuracy=float(right[number] / pixels[number]) if pixels[number] else None,
            pixels=int(pixels[number]),
            wrong=int(pixels[number] - right[number]),
            confidence=tally.confidences[number],
            seconds=tally.seconds[number],
        )
        for number in range(len(counts))
    )


def _describe_classes(
    names: Sequence[str], tally: Tally, draws: Floats, units: Units
) -> tuple[ClassFigures, ...]:
    counts, metrics = tally.scores.counts, compute_metrics(tally.scores.confusion)
    # Precision is the accuracy of the turned matrix.
    precision = compute_metrics(tally.scores.confusion.T).accuracy_per_class
    true, boundary = counts[:, 1], tally.boundaries.iou
    return tuple(
        ClassFigures(
            name=name,
            iou=score(metrics.iou_per_class[label]),
            interval=interval_of(draws[:, label], units),
            precision=score(precision[label]),
            recall=score(metrics.accuracy_per_class[label]),
            dice=score(metrics.dice_per_class[label]),
            boundary_iou=tuple(score(value) for value in boundary[:, label]),
            pixels=int(true[:, label].sum()),
            images=int((true[:, label] > 0).sum()),
        )
        for label, name in enumerate(names)
    )


def _describe_sizes(names: Sequence[str], tally: Tally) -> tuple[SizeFigures, ...]:
    counts = tally.sizes
    rows: list[tuple[str | None, slice]] = [(None, slice(None))]
    rows += [(name, slice(label, label + 1)) for label, name in enumerate(names)]
    figures = []
    for name, part in rows:
        for place, size in enumerate(SIZES):
            objects, pixels = counts.objects[part, place].sum(), counts.pixels[part, place].sum()
            found, right = counts.found[part, place].sum(), counts.right[part, place].sum()
            figures.append(
                SizeFigures(
                    label=name,
                    size=size,
                    objects=int(objects),
                    found=float(found / objects) if objects else None,
                    recall=float(right / pixels) if pixels else None,
                )
            )
    return tuple(figures)


def _list_confusions(names: Sequence[str], setting: Setting, tally: Tally) -> tuple[Confusion, ...]:
    wrong = tally.scores.confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_CONFUSIONS]
    found = []
    for cell in order:
        truth, prediction = divmod(int(cell), len(names))
        if not wrong[truth, prediction]:
            break
        pictures = tuple(
            Behind(setting.names[number], pixels)
            for number, pixels in tally.leaders.of(truth, prediction)
        )
        pixels = int(wrong[truth, prediction])
        found.append(Confusion(names[truth], names[prediction], pixels, pictures))
    return tuple(found)


def cost_of(
    subject: Subject, tally: Tally, seconds: float, memory: tuple[float, float | None]
) -> Cost:
    """Put together what an evaluation took; memory of the process and of a CUDA device in MB."""
    times = [1000 * one for one in tally.seconds]
    network = subject.networks[0]
    return Cost(str(network.device), network.name, seconds, median(times), max(times), *memory)
