"""The exponential moving average of the weights that is validated and saved."""

from collections.abc import Sequence

import torch
from torch import nn

from segnext.models import SegmentationModel
from segnext.training.sharding import local_part


class WeightAverage:
    """Keep `average` close to the mean of a model's recent weights.

    The decay warms up as (1 + n) / (10 + n) after n updates, so the average always spans about
    the last tenth of a short run and never remembers the random start. Buffers of floating
    point (batch statistics) are averaged too; others are copied.

    Args:
        average: A module of the same architecture, sharded as the model is; its values are
            overwritten.
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
            [local_part(ours[name]) for name in floats],
            [local_part(theirs[name]) for name in floats],
            weight,
        )
        for name in ours.keys() - set(floats):
            ours[name].copy_(theirs[name])


def average_weights(models: Sequence[SegmentationModel]) -> SegmentationModel:
    """Build the model whose every weight is the mean of the given models' (arXiv 2203.05482).

    Args:
        models: One or more of the same configuration, on one device.
    """
    mean = models[0].rebuild()
    states = [model.state_dict() for model in models]
    mean.load_state_dict(
        {
            name: torch.stack([state[name] for state in states]).mean(0)
            if value.is_floating_point()
            else value
            for name, value in states[0].items()
        }
    )
    return mean
