"""Lovász loss: a convex surrogate of the Jaccard index (intersection over union)."""

import torch
from torch import Tensor

from segnext.training.losses.loss import Loss, exact_dtype, resize


class Lovasz(Loss):
    """Lovász-softmax over the classes present in each picture; with one logit, Lovász hinge.

    Berman et al. (arXiv 1705.08790): sections 3.2 (softmax, equation 11) and 3.1 (hinge). The mean
    over classes is taken in each picture, the mean over pictures among those with a counted pixel.
    The hinge of a picture without foreground is its largest error.

    Holds probabilities at full resolution and sorts the pixels of each present class.
    """

    def normalizer(self, target: Tensor) -> Tensor:
        """Count the pictures with a counted pixel."""
        pictures = (target != self.ignore_index).flatten(1).any(1).sum()
        return pictures[None].to(exact_dtype(target.device))

    def totals(self, logits: Tensor, target: Tensor) -> Tensor:
        """Sum the Lovász extension over pictures."""
        # The sum of nothing keeps the graph where every pixel is ignored.
        total = logits[:0].sum()
        binary = logits.shape[1] == 1
        for scores, truth in zip(resize(logits, target), target, strict=True):
            counted = truth != self.ignore_index
            if counted.any():
                picture = _hinge if binary else _softmax
                total = total + picture(scores[:, counted], truth[counted])
        return total[None]


def _softmax(logits: Tensor, labels: Tensor) -> Tensor:
    """Compute the loss of one picture from logits (K, N) and labels (N,)."""
    probabilities = logits.softmax(0)
    losses = []
    for label in torch.unique(labels):
        member = labels == label
        errors = (member.to(logits.dtype) - probabilities[label]).abs()
        losses.append(_extend_jaccard(errors, member))
    return torch.stack(losses).mean()


def _hinge(logits: Tensor, labels: Tensor) -> Tensor:
    """Compute the loss of one picture from logits (1, N) and labels (N,), 1 for foreground."""
    member = labels == 1
    return _extend_jaccard((1 - torch.where(member, logits[0], -logits[0])).relu(), member)


def _extend_jaccard(errors: Tensor, member: Tensor) -> Tensor:
    """Evaluate the Lovász extension of the Jaccard loss at errors (N,), at least 0.

    Weighs the errors, largest first, by what the Jaccard loss 1 - I / U gains when a pixel joins
    the mistakes. A missed member takes one from I: gain 1 / U. A false one adds one to U: gain
    I / (U (U - 1)). Unlike differences of neighbouring Jaccard losses, this does not cancel.
    """
    errors, order = errors.sort(descending=True)
    missed = member[order]
    size = missed.sum()
    intersection = (size - missed.cumsum(0)).to(errors.dtype)
    union = (size + (~missed).cumsum(0)).to(errors.dtype)
    gains = torch.where(missed, 1 / union, intersection / (union * (union - 1).clamp(min=1)))
    # Without members the first mistake takes the loss from 0 to 1.
    gains[0] = gains[0].where(size > 0, 1)
    return errors @ gains
