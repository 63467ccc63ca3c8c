"""Several losses as one."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from segnext.training.losses.loss import Loss


class WeightedSum(Loss):
    """The sum of losses, each with its weight; one normalizer entry or more for each.

    Args:
        losses: At least one.
        weights: One for each loss.
    """

    def __init__(self, losses: Sequence[Loss], weights: Sequence[float]) -> None:
        assert len(losses) == len(weights) > 0
        super().__init__(ignore_index=losses[0].ignore_index)
        self.losses = cast("Sequence[Loss]", nn.ModuleList(losses))
        self.weights = tuple(weights)

    def normalizer(self, target: Tensor) -> Tensor:
        """Concatenate the losses' normalizers."""
        return torch.cat([loss.normalizer(target) for loss in self.losses])

    def totals(self, logits: Tensor, target: Tensor) -> Tensor:
        """Concatenate the losses' sums, times their weights."""
        return torch.cat(
            [
                weight * loss.totals(logits, target)
                for loss, weight in zip(self.losses, self.weights, strict=True)
            ]
        )
