"""Two models on the same pictures: the difference, and whether chance could have made it.

Pictures are drawn in pairs, so what makes a picture hard for both cancels out.
"""

import numpy as np

from segnext import __version__
from segnext.metrics import compute_metrics
from segnext.report.bootstrap import interval_of, iou_of, mean_defined, resample_iou
from segnext.report.figures import FORMAT, ClassChange, Duel, PictureChange
from segnext.report.observing import Subject
from segnext.report.summary import Setting, score
from segnext.report.tally import ScoreTally


def compare_tallies(
    first: Subject, second: Subject, setting: Setting, tallies: tuple[ScoreTally, ScoreTally]
) -> Duel:
    """Compute the figures of a comparison.

    Args:
        first: One model.
        second: The other one; differences are its score less the first one's.
        setting: The data.
        tallies: What was counted of each.
    """
    units, names = setting.units, first.spec.classes.label_names
    metrics = [compute_metrics(tally.confusion) for tally in tallies]
    draws = [resample_iou(tally.counts, units) for tally in tallies]
    differences = mean_defined(draws[1]) - mean_defined(draws[0])
    known = differences[~np.isnan(differences)]
    ious = [one.iou_per_class for one in metrics]
    pictures = [mean_defined(iou_of(tally.counts)) for tally in tallies]
    return Duel(
        format=FORMAT,
        version=__version__,
        first=first.name,
        second=second.name,
        data=setting.data,
        split=setting.split,
        first_protocol=first.spec.protocol.describe(),
        second_protocol=second.spec.protocol.describe(),
        images=len(setting.names),
        first_miou=score(metrics[0].miou),
        second_miou=score(metrics[1].miou),
        difference=score(metrics[1].miou - metrics[0].miou),
        interval=interval_of(differences, units),
        # Draws that are alike count half.
        share_better=float((known > 0).mean() + (known == 0).mean() / 2) if known.size else None,
        classes=tuple(
            ClassChange(
                name,
                score(ious[0][label]),
                score(ious[1][label]),
                score(ious[1][label] - ious[0][label]),
                interval_of(draws[1][:, label] - draws[0][:, label], units),
            )
            for label, name in enumerate(names)
        ),
        pictures=tuple(
            PictureChange(name, group, score(one), score(other), score(other - one))
            for name, group, one, other in zip(
                setting.names, setting.groups, *pictures, strict=True
            )
        ),
    )


def is_win(change: ClassChange) -> bool | None:
    """Tell whether the second model wins a class; `None` where chance could have made it."""
    if change.interval is None or change.interval.low <= 0 <= change.interval.high:
        return None
    return change.interval.low > 0


def judge(duel: Duel) -> str:
    """Say in one line which model is better, by how much, and whether that may be chance."""
    if duel.difference is None or duel.first_miou is None or duel.second_miou is None:
        return "no pixel counts, so there is nothing to compare"
    scores = f"mIoU {100 * duel.first_miou:.1f} % and {100 * duel.second_miou:.1f} %"
    if duel.interval is None:
        return f"{scores}; too few pictures or groups to tell whether the difference is chance"
    low, high = 100 * duel.interval.low, 100 * duel.interval.high
    span = (
        f"{100 * duel.difference:+.1f} points ({100 * duel.interval.level:.0f} % interval "
        f"{low:+.1f} to {high:+.1f}, paired bootstrap over {duel.interval.units} "
        f"{duel.interval.over})"
    )
    if low > 0:
        return f"the second is better: {scores}, {span}"
    if high < 0:
        return f"the first is better: {scores}, {span}"
    return f"no clear winner: {scores}, {span}"


def most_changed(duel: Duel, most: int) -> tuple[list[int], list[int]]:
    """Return numbers of the pictures that the second model does worse and better, most first.

    Args:
        duel: With all pictures.
        most: How many of each.
    """
    changes = [(one.difference or 0.0, number) for number, one in enumerate(duel.pictures)]
    worse = [number for change, number in sorted(changes) if change < 0]
    better = [number for change, number in sorted(changes, key=lambda c: -c[0]) if change > 0]
    return worse[:most], better[:most]
