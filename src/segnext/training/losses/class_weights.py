"""Class weights from how often classes occur."""

import math
import statistics
from collections.abc import Sequence

from segnext.errors import UsageError, describe_unknown
from segnext.training.losses.loss import check_number

CLASS_WEIGHTS = ("inverse", "median_frequency", "enet")

# Keeps ENet's weights finite and sets their range: at most 1 / ln(1.02), about 50.
ENET_OFFSET = 1.02


def compute_class_weights(
    method: str,
    pixels_per_class: Sequence[int],
    pixels_where_present: Sequence[int],
    *,
    cap: float = 10.0,
) -> tuple[float, ...]:
    """Compute a weight for each class, larger for rarer ones.

    With p the share of a class among all counted pixels:

    - `inverse`: 1 / p.
    - `median_frequency`: the median class's frequency over the class's own, where frequency is
      the class's share among the counted pixels of pictures that hold it (Eigen and Fergus,
      arXiv 1411.4734, section 6.3.2).
    - `enet`: 1 / ln(1.02 + p) (Paszke et al., arXiv 1606.02147, section 5.1).

    Weights are cut at `cap` times the smallest, then scaled so that their mean over counted
    pixels is 1. A class without pixels gets 1: nothing is known of it, and no pixel uses it.

    Args:
        method: One of `CLASS_WEIGHTS`.
        pixels_per_class: Counted pixels of each class in the training split.
        pixels_where_present: Counted pixels, of any class, of the pictures that hold the class.
        cap: Largest weight over the smallest, at least 1.

    Raises:
        UsageError: Unknown method, or a cap below 1.
    """
    if method not in CLASS_WEIGHTS:
        raise UsageError(describe_unknown("class weights", method, CLASS_WEIGHTS))
    check_number("cap of class weights", cap, "at least 1", lambda value: value >= 1)
    total = sum(pixels_per_class)
    frequency = {
        label: pixels / (around if method == "median_frequency" else total)
        for label, (pixels, around) in enumerate(
            zip(pixels_per_class, pixels_where_present, strict=True)
        )
        if pixels
    }
    if not frequency:
        return (1.0,) * len(pixels_per_class)
    if method == "enet":
        weights = {label: 1 / math.log(ENET_OFFSET + p) for label, p in frequency.items()}
    else:
        median = statistics.median(frequency.values())
        weights = {label: median / p for label, p in frequency.items()}
    ceiling = cap * min(weights.values())
    weights = {label: min(weight, ceiling) for label, weight in weights.items()}
    mean = sum(pixels_per_class[label] * weight for label, weight in weights.items()) / total
    return tuple(weights.get(label, mean) / mean for label in range(len(pixels_per_class)))
