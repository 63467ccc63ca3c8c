import pytest
import torch
from torch import nn

from segnext.models.layers import (
    ChannelDropout,
    ChannelLayerNorm,
    draw_drop_path,
    init_conv_weights,
)
from segnext.models.randomness import keyed_randomness, sample_keys


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


def test_channel_dropout_drops_whole_channels_and_keeps_the_expectation() -> None:
    images = torch.ones(100, 200, 2, 3)
    ratio = ChannelDropout(0.25)(images)
    assert torch.equal(ratio, ratio[..., :1, :1].expand_as(ratio))
    torch.testing.assert_close(ratio.unique(), torch.tensor([0.0, 1 / 0.75]))
    assert abs(ratio.mean().item() - 1.0) < 0.02
    assert (ratio[:, :, 0, 0].mean(0) > 0).all()
    assert (ratio[:, :, 0, 0].mean(1) > 0).all()


@pytest.mark.parametrize(("rate", "training"), [(0.0, True), (0.5, False)])
def test_channel_dropout_without_effect_draws_nothing(rate: float, training: bool) -> None:
    images = torch.rand(2, 3, 4, 4)
    state = torch.get_rng_state()
    dropout = ChannelDropout(rate).train(training)
    assert dropout(images) is images
    assert torch.equal(torch.get_rng_state(), state)
    assert not dropout.state_dict()


def test_drop_path_and_channel_dropout_follow_the_sample() -> None:
    images = torch.ones(6, 32, 1, 1)

    def run(samples: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        part = images[samples]
        with keyed_randomness(sample_keys(0, 0, samples)):
            return draw_drop_path(part, 0.5), ChannelDropout(0.5)(part)

    whole = run([0, 1, 2, 3, 4, 5])
    shuffled = run([4, 2, 5])
    for expected, found in zip(whole, shuffled, strict=True):
        assert torch.equal(expected[[4, 2, 5]], found)
