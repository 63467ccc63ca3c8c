import copy

import pytest
import torch
from torch import nn

from segnext.training.average import WeightAverage


def build() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))


def test_follows_the_formula_with_warm_up() -> None:
    model = build()
    average = copy.deepcopy(model)
    expected = average[0].weight.detach().clone()
    averaging = WeightAverage(average, decay=0.5)
    for update in range(20):
        nn.init.normal_(model[0].weight)
        decay = min(0.5, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * model[0].weight.detach()
        averaging.update(model, update)
    torch.testing.assert_close(average[0].weight.detach(), expected)


def test_batch_statistics_are_averaged_and_counters_copied() -> None:
    model = build().train()
    average = copy.deepcopy(model)
    for _ in range(3):
        model(torch.randn(4, 1, 3, 3) + 5)
    WeightAverage(average, decay=0.9).update(model, updates=10_000)
    assert average[1].num_batches_tracked == 3
    torch.testing.assert_close(average[1].running_mean, 0.1 * model[1].running_mean)


def test_no_decay_copies() -> None:
    model, average = build(), build()
    WeightAverage(average, decay=0.0).update(model, updates=5)
    assert all(
        torch.equal(a, b)
        for a, b in zip(average.state_dict().values(), model.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize("updates", [0, 5])
def test_a_short_run_forgets_its_start(updates: int) -> None:
    model, average = build(), build()
    nn.init.constant_(average[0].weight, 100.0)
    nn.init.zeros_(model[0].weight)
    averaging = WeightAverage(average, decay=0.999)
    for update in range(updates + 20):
        averaging.update(model, update)
    assert average[0].weight.abs().max() < 0.1
