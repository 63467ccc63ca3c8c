"""Losses by name."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from segnext.errors import UsageError, describe_unknown
from segnext.training.losses.boundary import Boundary
from segnext.training.losses.cross_entropy import CrossEntropy
from segnext.training.losses.dice import Dice
from segnext.training.losses.focal import Focal
from segnext.training.losses.loss import Loss, PixelLoss, check_number
from segnext.training.losses.lovasz import Lovasz
from segnext.training.losses.ohem import Ohem
from segnext.training.losses.weighted_sum import WeightedSum

LOSSES: dict[str, type[Loss]] = {
    "cross_entropy": CrossEntropy,
    "ohem": Ohem,
    "focal": Focal,
    "dice": Dice,
    "lovasz": Lovasz,
    "boundary": Boundary,
}

# What every loss is given by `build_loss` itself.
_GIVEN = {"ignore_index", "class_weights"}

# A name, or names with their weights, or with a mapping of `weight` and options.
LossChoice = str | Mapping[str, float | Mapping[str, Any]]


def build_loss(
    choice: LossChoice,
    *,
    ignore_index: int = 255,
    class_weights: Sequence[float] | None = None,
) -> Loss:
    """Build a loss or a weighted sum of losses.

    Args:
        choice: A name of `LOSSES`; or `{name: weight}`; or `{name: {"weight": 1.0, option: value}}`
            with `weight` 1 where it is left out.
        ignore_index: Target value of pixels that do not count.
        class_weights: A factor for each class, at least 0; for cross_entropy, ohem and focal.

    Raises:
        UsageError: Unknown name or option, an option out of range, or class weights for losses
            that know none.
    """
    entries = {choice: 1.0} if isinstance(choice, str) else choice
    if not isinstance(entries, Mapping) or not entries:
        msg = (
            f"loss must be a name or names with weights, got {choice!r}: valid: {', '.join(LOSSES)}"
        )
        raise UsageError(msg)
    losses, weights = [], []
    for name, entry in entries.items():
        options: dict[str, Any] = dict(entry) if isinstance(entry, Mapping) else {"weight": entry}
        weights.append(options.pop("weight", 1.0))
        losses.append(_build_named(name, options, ignore_index, class_weights))
        check_number(f"weight of loss {name}", weights[-1], "above 0", lambda value: value > 0)
    if class_weights is not None and not any(isinstance(loss, PixelLoss) for loss in losses):
        weighable = [name for name, loss in LOSSES.items() if issubclass(loss, PixelLoss)]
        msg = f"class weights have no effect on {', '.join(entries)}: add {', '.join(weighable)}"
        raise UsageError(msg)
    return losses[0] if isinstance(choice, str) else WeightedSum(losses, weights)


def _build_named(
    name: str, options: dict[str, Any], ignore_index: int, class_weights: Sequence[float] | None
) -> Loss:
    if name not in LOSSES:
        raise UsageError(describe_unknown("loss", str(name), LOSSES))
    valid = {"weight", *inspect.signature(LOSSES[name]).parameters} - _GIVEN
    for option in options:
        if option not in valid:
            raise UsageError(describe_unknown(f"option of loss {name}", str(option), valid))
    if issubclass(LOSSES[name], PixelLoss):
        options["class_weights"] = class_weights
    return LOSSES[name](ignore_index=ignore_index, **options)
