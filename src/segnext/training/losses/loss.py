"""What all losses share: a sum over pixels or pictures, divided by what the target alone tells.

Shapes: B batch, K classes, h and w those of the logits, H and W those of the target.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from segnext.errors import UsageError
from segnext.training.losses.bands import sum_in_bands

# Far below any count; turns 0 / 0 of a batch without counted pixels into 0.
LEAST_NORMALIZER = 1e-12


class Loss(nn.Module):
    """A sum over pixels or pictures over a normalizer that depends on the target only.

    Both are additive, so parts of a batch (processes, micro-batches) that divide by the
    normalizer of the whole add up to the loss and gradient of the whole.

    A single logit (K = 1) stands for two classes with the logits (0, z): class 1 is foreground.

    Args:
        ignore_index: Target value of pixels that do not count.
    """

    def __init__(self, *, ignore_index: int = 255) -> None:
        super().__init__()
        self.ignore_index = ignore_index

    def forward(self, logits: Tensor, target: Tensor, normalizer: Tensor | None = None) -> Tensor:
        """Compute the loss, a scalar in float32; 0 where no pixel counts.

        Args:
            logits: (B, K, h, w), resized bilinearly to the target. Cast to float32, but float64
                stays and gives a float64 loss.
            target: (B, H, W) int64, train ids and `ignore_index`.
            normalizer: (n,), the sum of `normalizer(part)` over all parts of the whole batch;
                by default that of this target.
        """
        if normalizer is None:
            normalizer = self.normalizer(target)
        if logits.dtype != torch.float64:
            logits = logits.float()
        with torch.autocast(logits.device.type, enabled=False):
            totals = self.totals(logits, target)
            return (totals / normalizer.clamp(min=LEAST_NORMALIZER).to(totals.dtype)).sum()

    def normalizer(self, target: Tensor) -> Tensor:
        """Compute what the sums are divided by, (n,) in float64 (on MPS float32); additive."""
        raise NotImplementedError

    def totals(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute the sums (n,), one for each entry of the normalizer."""
        raise NotImplementedError

    def _count(self, target: Tensor) -> Tensor:
        return (target != self.ignore_index).sum()[None].to(exact_dtype(target.device))


class PixelLoss(Loss):
    """A loss of each pixel by itself, computed in bands; divided by the counted pixels.

    Args:
        ignore_index: Target value of pixels that do not count.
        class_weights: A factor for each class, at least 0; two of them where K = 1.

    Raises:
        UsageError: A weight is negative or not finite.
    """

    class_weights: Tensor | None

    def __init__(
        self, *, ignore_index: int = 255, class_weights: Sequence[float] | None = None
    ) -> None:
        super().__init__(ignore_index=ignore_index)
        for weight in class_weights or ():
            check_number("class weight", weight, "at least 0", lambda value: value >= 0)
        weights = None if class_weights is None else torch.tensor(class_weights).float()
        # Follows the module to its device, and stays out of checkpoints.
        self.register_buffer("class_weights", weights, persistent=False)

    def normalizer(self, target: Tensor) -> Tensor:
        """Count the pixels that are not ignored."""
        return self._count(target)

    def totals(self, logits: Tensor, target: Tensor) -> Tensor:
        """Sum the values of all pixels."""
        return sum_in_bands(logits, target, self.values)[None]

    def values(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute the loss (n, W) of each pixel from logits (n, K, W); 0 where ignored."""
        raise NotImplementedError

    def _cross_entropy(
        self, logits: Tensor, target: Tensor, *, weighted: bool, label_smoothing: float = 0.0
    ) -> Tensor:
        return functional.cross_entropy(
            pair_single(logits),
            target,
            weight=self._weights(logits.dtype) if weighted else None,
            ignore_index=self.ignore_index,
            reduction="none",
            label_smoothing=label_smoothing,
        )

    def _weight_map(self, target: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the weight of each pixel's class, in the target's shape; 0 where ignored."""
        counted = target != self.ignore_index
        weights = self._weights(dtype)
        if weights is None:
            return counted.to(dtype)
        return weights[target.where(counted, 0)] * counted

    def _weights(self, dtype: torch.dtype) -> Tensor | None:
        return None if self.class_weights is None else self.class_weights.to(dtype)


def exact_dtype(device: torch.device) -> torch.dtype:
    """Return the type that counts pixels without rounding, or the best there is on MPS."""
    return torch.float32 if device.type == "mps" else torch.float64


def pair_single(logits: Tensor) -> Tensor:
    """Give a single logit z its partner 0: their softmax is the sigmoid of z. Classes in dim 1."""
    return logits if logits.shape[1] > 1 else torch.cat([torch.zeros_like(logits), logits], 1)


def resize(logits: Tensor, target: Tensor) -> Tensor:
    """Interpolate logits (B, K, h, w) bilinearly to the target's (H, W)."""
    return functional.interpolate(
        logits, size=target.shape[-2:], mode="bilinear", align_corners=False
    )


def check_number(option: str, value: Any, expected: str, holds: Callable[[float], bool]) -> None:
    """Refuse what is not a finite number or out of range.

    Raises:
        UsageError: Names the option, what it must be and what it is.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and math.isfinite(value) and holds(value)):
        msg = f"{option} must be {expected}, got {value!r}"
        raise UsageError(msg)
