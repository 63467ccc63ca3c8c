"""Focal loss."""

from collections.abc import Sequence

import torch
from torch import Tensor

from segnext.training.losses.loss import PixelLoss, check_number


class Focal(PixelLoss):
    """Cross-entropy that fades where the model is already sure: -a (1 - p)^gamma log p.

    Lin et al. (arXiv 1708.02002, equation 5), with p the softmax of the true class and the mean
    over counted pixels.

    Args:
        ignore_index: Target value of pixels that do not count.
        gamma: How fast sure pixels fade, at least 0; 0 is cross-entropy.
        class_weights: The paper's alpha, a factor for each class, at least 0; two where K = 1.

    Raises:
        UsageError: An option is out of range.
    """

    def __init__(
        self,
        *,
        ignore_index: int = 255,
        gamma: float = 2.0,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__(ignore_index=ignore_index, class_weights=class_weights)
        check_number("focal gamma", gamma, "at least 0", lambda value: value >= 0)
        self.gamma = gamma

    def values(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute the focal loss (n, W) of logits (n, K, W); 0 where ignored."""
        surprise = self._cross_entropy(logits, target, weighted=False)
        # 1 - p without cancellation. Powers below 1 have no slope at 0, hence the bound.
        doubt = (-torch.expm1(-surprise)).clamp(min=torch.finfo(logits.dtype).tiny)
        return self._weight_map(target, logits.dtype) * doubt**self.gamma * surprise
