"""Mixup and CutMix on whole batches, as functions of (seed, step).

Each sample is mixed with its partner: 0 with 1, 2 with 3, and so on. Samples come in random order,
so a neighbour is as good a partner as any. A process takes whole pairs of a batch, so that it has
every partner itself, and the batch is the same in any number of processes.

Shapes: B batch, even; C channels, H and W height and width, K classes.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from segnext.errors import UsageError

# First entry of the seed sequence; 1 and 2 are the shuffle's and the augmentation's.
_MIX = 3


@dataclass(frozen=True)
class MixRule:
    """How batches are mixed.

    Attributes:
        mixup: Parameter of the symmetric Beta distribution of mixup's shares (arXiv 1710.09412);
            0 never does it.
        cutmix: The same for CutMix (arXiv 1905.04899).
        probability: That a batch is mixed at all.
        switch: Probability of CutMix where both could be.
    """

    mixup: float = 0.8
    cutmix: float = 1.0
    probability: float = 1.0
    switch: float = 0.5

    def __post_init__(self) -> None:
        for name in ("mixup", "cutmix"):
            if getattr(self, name) < 0:
                msg = f"{name} is the parameter of a Beta distribution, 0 or more"
                raise UsageError(msg)

    @property
    def active(self) -> bool:
        """Tell whether any batch is mixed."""
        return self.probability > 0 and (self.mixup > 0 or self.cutmix > 0)


@dataclass(frozen=True)
class Mix:
    """What is done to one batch.

    Attributes:
        kind: `none`, `mixup` or `cutmix`.
        share: Of a sample itself in its mixture, 0-1; the rest is its partner's.
        box: Top, bottom, left and right of what comes from the partner, for CutMix [px].
    """

    kind: Literal["none", "mixup", "cutmix"] = "none"
    share: float = 1.0
    box: tuple[int, int, int, int] = (0, 0, 0, 0)


def draw_mix(rule: MixRule, seed: int, step: int, size: int) -> Mix:
    """Draw what happens to the batch of a step, whose images are `size` pixels high and wide."""
    rng = np.random.default_rng((_MIX, seed, step))
    if not rule.active or rng.random() >= rule.probability:
        return Mix()
    switch = rule.switch if rule.mixup and rule.cutmix else float(rule.cutmix > 0)
    if rng.random() >= switch:
        return Mix("mixup", float(rng.beta(rule.mixup, rule.mixup)))
    # A box of the partner's share, around a uniform middle; what sticks out is cut off.
    side = size * np.sqrt(1.0 - rng.beta(rule.cutmix, rule.cutmix))
    middle = rng.uniform(0, size, 2)
    low = np.clip(np.rint(middle - side / 2), 0, size).astype(int)
    high = np.clip(np.rint(middle + side / 2), 0, size).astype(int)
    box = (int(low[0]), int(high[0]), int(low[1]), int(high[1]))
    area = (box[1] - box[0]) * (box[3] - box[2])
    return Mix("cutmix", 1.0 - area / size**2, box)


def mix_images(images: Tensor, mix: Mix) -> Tensor:
    """Mix images (B, C, H, W) with their partners; the shape and memory format stay."""
    if mix.kind == "none":
        return images
    partners = images[_partners(len(images), images.device)]
    if mix.kind == "mixup":
        return torch.lerp(partners, images, mix.share)
    top, bottom, left, right = mix.box
    mixed = images.clone(memory_format=torch.preserve_format)
    mixed[:, :, top:bottom, left:right] = partners[:, :, top:bottom, left:right]
    return mixed


def mix_targets(labels: Tensor, mix: Mix, classes: int, smoothing: float) -> Tensor:
    """Make soft targets (B, K) of labels (B,), smoothed (arXiv 1512.00567, section 7) and mixed."""
    targets = functional.one_hot(labels, classes).float()
    targets = targets * (1.0 - smoothing) + smoothing / classes
    if mix.kind == "none":
        return targets
    return torch.lerp(targets[_partners(len(labels), labels.device)], targets, mix.share)


def _partners(count: int, device: torch.device) -> Tensor:
    assert count % 2 == 0, f"{count} samples cannot be paired"
    return torch.arange(count, device=device) ^ 1
