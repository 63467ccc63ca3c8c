"""Soft Dice loss."""

import torch
from torch import Tensor

from segnext.training.losses.loss import Loss, exact_dtype, pair_single, resize


class Dice(Loss):
    """One minus the soft Dice overlap, averaged over the classes present in each picture.

    1 - 2 sum(p y) / (sum(p) + sum(y)), after Milletari et al. (arXiv 1606.04797, section 3) with
    plain sums below the bar as in Sudre et al. (arXiv 1707.03237, section 2). A class absent from
    a picture has no overlap to learn, and its false pixels already cost the present ones. With
    one logit, background and foreground are both classes, so that a picture without foreground
    still teaches.

    Holds probabilities at full resolution.
    """

    def normalizer(self, target: Tensor) -> Tensor:
        """Count the pairs of a picture and a class present in it."""
        # Counted without knowing K: a new class begins where sorted labels change.
        labels = target.flatten(1).sort(1).values
        begins = torch.ones_like(labels, dtype=torch.bool)
        begins[:, 1:] = labels[:, 1:] != labels[:, :-1]
        pairs = (begins & (labels != self.ignore_index)).sum()
        return pairs[None].to(exact_dtype(target.device))

    def totals(self, logits: Tensor, target: Tensor) -> Tensor:
        """Sum 1 - Dice over pictures and their classes."""
        counted = (target != self.ignore_index)[:, None]
        probabilities = pair_single(resize(logits, target)).softmax(1) * counted
        classes = torch.arange(probabilities.shape[1], device=target.device)
        members = (target[:, None] == classes[:, None, None]) & counted
        sizes = members.sum((2, 3))
        overlap = 2 * (probabilities * members).sum((2, 3))
        dice = overlap / (probabilities.sum((2, 3)) + sizes.clamp(min=1))
        return ((1 - dice) * (sizes > 0)).sum()[None]
