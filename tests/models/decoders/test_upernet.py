import pytest
import torch

from decoder_contract import CHANNELS, check_contract, draw_features
from segnext.models.decoders.upernet import PyramidPooling, UPerNet


def test_contract() -> None:
    check_contract(UPerNet, output_stride=4, width=16)


def test_pooling_of_each_grid() -> None:
    pooling = PyramidPooling(6, 8, grids=(1, 2))
    assert pooling(torch.randn(2, 6, 5, 7)).shape == (2, 8, 5, 7)


def test_one_image_has_one_mean() -> None:
    with pytest.raises(ValueError, match="use a larger batch"):
        UPerNet(CHANNELS, 2, width=8)(draw_features(1))
