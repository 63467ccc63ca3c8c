"""The exponential moving average of the weights that is validated and saved."""

import torch
from torch import nn


class WeightAverage:
    """Keep `average` close to the mean of a model's recent weights.

    The decay warms up as (1 + n) / (10 + n) after n updates, so the average always spans about
    the last tenth of a short run and never remembers the random start. Buffers of floating
    point (batch statistics) are averaged too; others are copied.

    Args:
        average: A module of the same architecture; its values are overwritten.
        decay: Upper bound of the decay, in [0, 1). 0 copies.
    """

    def __init__(self, average: nn.Module, decay: float) -> None:
        self.average = average
        self.decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, updates: int) -> None:
        """Move the average towards `model` after `updates` earlier ones."""
        weight = 1.0 - min(self.decay, (1 + updates) / (10 + updates)) if self.decay else 1.0
        ours, theirs = self.average.state_dict(), model.state_dict()
        floats = [name for name, value in ours.items() if value.is_floating_point()]
        torch._foreach_lerp_(
            [ours[name] for name in floats], [theirs[name] for name in floats], weight
        )
        for name in ours.keys() - set(floats):
            ours[name].copy_(theirs[name])
