import pytest
import torch
from torch.nn import functional

from decoder_contract import CHANNELS, check_contract, draw_features
from segnext.models.decoders.upernet import PyramidPooling, UPerNet, pool_to_grid


def test_contract() -> None:
    check_contract(UPerNet, output_stride=4, width=16)


def test_pooling_of_each_grid() -> None:
    pooling = PyramidPooling(6, 8, grids=(1, 2))
    assert pooling(torch.randn(2, 6, 5, 7)).shape == (2, 8, 5, 7)


@pytest.mark.parametrize("grid", [1, 2, 3, 6])
@pytest.mark.parametrize("size", [(1, 2), (6, 6), (5, 7), (13, 16)])
def test_cells_are_those_of_adaptive_pooling(grid: int, size: tuple[int, int]) -> None:
    features = torch.randn(2, 3, *size, dtype=torch.float64)
    expected = functional.adaptive_avg_pool2d(features, grid)
    torch.testing.assert_close(pool_to_grid(features, grid), expected)


def test_one_image_has_one_mean() -> None:
    with pytest.raises(ValueError, match="use a larger batch"):
        UPerNet(CHANNELS, 2, width=8)(draw_features(1))
