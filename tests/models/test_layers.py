import torch
from torch import nn

from segnext.models.layers import ChannelLayerNorm, draw_drop_path, init_conv_weights


def test_layer_norm_normalises_each_position_over_channels() -> None:
    images = torch.randn(2, 16, 3, 5) * 7 + 3
    normalized = ChannelLayerNorm(16)(images)
    assert normalized.shape == images.shape
    torch.testing.assert_close(normalized.mean(1), torch.zeros(2, 3, 5), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        normalized.std(1, correction=0), torch.ones(2, 3, 5), atol=1e-3, rtol=0
    )


def test_drop_path_keeps_the_expectation() -> None:
    drawn = draw_drop_path(torch.empty(20000, 1), rate=0.25)
    assert drawn.shape == (20000, 1, 1, 1)
    assert set(drawn.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    assert abs(drawn.mean().item() - 1.0) < 0.02


def test_convolutions_start_from_fan_out() -> None:
    conv = nn.Conv2d(64, 128, 3, groups=2)
    init_conv_weights(conv)
    expected = (2 / (9 * 128 / 2)) ** 0.5
    assert abs(conv.weight.std().item() / expected - 1) < 0.02
    assert conv.bias is not None
    assert conv.bias.abs().max() == 0
