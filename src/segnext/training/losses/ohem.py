"""Cross-entropy over the hardest pixels."""

from collections.abc import Sequence

import torch
from torch import Tensor

from segnext.training.losses.bands import map_in_bands, sum_in_bands
from segnext.training.losses.loss import PixelLoss, check_number, exact_dtype


class Ohem(PixelLoss):
    """Online hard example mining: the mean cross-entropy of each picture's hardest pixels.

    The idea is that of Shrivastava et al. (arXiv 1604.03540, section 4), for pixels as in Wu et
    al. (arXiv 1605.06885, section 3.2), who keep the hardest of a batch. Here each picture keeps
    its own share, so that the loss does not depend on how pictures are batched.

    Args:
        ignore_index: Target value of pixels that do not count.
        fraction: Share of each picture's counted pixels that is kept, rounded up; in (0, 1].
        class_weights: A factor on the cross-entropy of each class, at least 0; two where K = 1.
            It also decides what is hard.

    Raises:
        UsageError: An option is out of range.
    """

    def __init__(
        self,
        *,
        ignore_index: int = 255,
        fraction: float = 0.25,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__(ignore_index=ignore_index, class_weights=class_weights)
        check_number(
            "ohem fraction", fraction, "above 0 and at most 1", lambda value: 0 < value <= 1
        )
        self.fraction = fraction

    def normalizer(self, target: Tensor) -> Tensor:
        """Count the pixels that are kept."""
        return self._kept(target).sum()[None]

    def totals(self, logits: Tensor, target: Tensor) -> Tensor:
        """Sum the values of the pixels that are kept."""
        hardness = map_in_bands(logits, target, self.values)
        hardness = hardness.where(target != self.ignore_index, -torch.inf).flatten(1)
        order = hardness.argsort(stable=True, dim=1, descending=True)
        rank = torch.arange(order.shape[1], device=target.device)
        first = rank < self._kept(target)[:, None]
        hard = torch.zeros_like(first).scatter(1, order, first).view_as(target)
        kept = target.where(hard, self.ignore_index)
        return sum_in_bands(logits, kept, self.values)[None]

    def values(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute the weighted cross-entropy (n, W) of logits (n, K, W); 0 where ignored."""
        return self._cross_entropy(logits, target, weighted=True)

    def _kept(self, target: Tensor) -> Tensor:
        """Return how many pixels each picture keeps, (B,)."""
        counted = (target != self.ignore_index).flatten(1).sum(1)
        return (counted.to(exact_dtype(target.device)) * self.fraction).ceil()
