import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from segnext.models.encoders.surgery import (
    DropPath,
    dilate,
    init_encoder_weights,
    with_same_padding,
)


def test_drop_path_drops_whole_samples_and_keeps_the_mean() -> None:
    branch = torch.ones(4000, 3, 2)
    dropped = DropPath(0.25).train()(branch)
    assert dropped.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    assert torch.equal(dropped.amin(dim=(1, 2)), dropped.amax(dim=(1, 2)))
    assert abs(dropped.mean().item() - 1) < 0.05
    assert torch.equal(DropPath(0.25).eval()(branch), branch)


def test_same_padding_is_less_at_the_top_left_of_even_sizes() -> None:
    convolution = nn.Conv2d(1, 1, 3, stride=2, bias=False)
    same = with_same_padding(convolution)
    nn.init.ones_(same.weight)
    ones = torch.ones(1, 1, 4, 5)
    # By hand: rows 0-2 and 2-4 of 4, columns -1-1, 1-3 and 3-5 of 5.
    assert same(ones)[0, 0].tolist() == [[6, 9, 6], [4, 6, 4]]


def test_a_dilated_stage_has_the_strided_one_s_values_in_between() -> None:
    strided = nn.Sequential(
        nn.Conv2d(2, 3, 3, stride=2, padding=1), nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
    )
    dilated = copy.deepcopy(strided)
    dilate(dilated, 2, first=1)
    images = torch.randn(1, 2, 17, 23)
    torch.testing.assert_close(dilated(images)[..., ::2, ::2], strided(images))


def test_weights_start_as_ours() -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8, momentum=0.99), nn.Linear(8, 8))
    nn.init.normal_(module[1].weight)
    module.apply(init_encoder_weights)
    assert module[1].momentum == 0.1
    assert torch.equal(module[1].weight, torch.ones(8))
    assert module[0].bias.abs().max() == module[2].bias.abs().max() == 0
    assert functional.mse_loss(module[2].weight, torch.zeros(8, 8)).sqrt() < 0.04
