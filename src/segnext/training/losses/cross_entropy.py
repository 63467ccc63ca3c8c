"""Cross-entropy over logits of any resolution."""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from segnext.errors import UsageError, describe_unknown
from segnext.training.losses.loss import PixelLoss, check_number, exact_dtype

Mean = Literal["valid", "all"]


class CrossEntropy(PixelLoss):
    """Cross-entropy at the target's resolution; with one logit, binary cross-entropy.

    Label smoothing is that of Szegedy et al. (arXiv 1512.00567, section 7).

    Args:
        ignore_index: Target value of pixels that do not count.
        mean: `valid` divides by the pixels that count, or by the sum of their class weights.
            `all` divides by every pixel, as the authors' code does, so that pictures with much
            void weigh less.
        class_weights: A factor for each class, at least 0; two of them where K = 1.
        label_smoothing: Share of each pixel's label that is spread over all classes, in [0, 1).

    Raises:
        UsageError: An option is unknown or out of range.
    """

    def __init__(
        self,
        *,
        ignore_index: int = 255,
        mean: Mean = "valid",
        class_weights: Sequence[float] | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(ignore_index=ignore_index, class_weights=class_weights)
        if mean not in get_args(Mean):
            raise UsageError(describe_unknown("cross_entropy mean", str(mean), get_args(Mean)))
        check_number(
            "cross_entropy label_smoothing",
            label_smoothing,
            "at least 0 and below 1",
            lambda value: 0 <= value < 1,
        )
        self.mean = mean
        self.label_smoothing = label_smoothing

    def normalizer(self, target: Tensor) -> Tensor:
        """Sum the class weights of counted pixels, or count all pixels."""
        dtype = exact_dtype(target.device)
        if self.mean == "all":
            return torch.full((1,), target.numel(), dtype=dtype, device=target.device)
        return self._weight_map(target, dtype).sum()[None]

    def values(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute the weighted cross-entropy (n, W) of logits (n, K, W); 0 where ignored."""
        return self._cross_entropy(
            logits, target, weighted=True, label_smoothing=self.label_smoothing
        )
