import pytest
import torch

from segnext.errors import UsageError
from segnext.models.decoders.decoder import ConvNorm, Decoder, resize_to, separable


def test_output_stride_is_that_of_the_stage_read() -> None:
    strides = (4, 8, 16, 32)
    assert [Decoder(2, 8, stage=stage).output_stride(strides) for stage in (1, 4)] == [4, 32]
    assert Decoder(2, 8, stage=4, scale=8).output_stride(strides) == 4
    with pytest.raises(UsageError, match="a number from 1 to 4, got 5"):
        Decoder(2, 8, stage=5)
    with pytest.raises(UsageError, match="width of a decoder must be at least 1, got 0"):
        Decoder(2, 0, stage=1)


def test_classifier_starts_small() -> None:
    decoder = Decoder(64, 256, stage=1)
    decoder.init_weights()
    assert decoder.classifier.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert not decoder.classifier.bias.any()


def test_convolutions_keep_the_size() -> None:
    images = torch.randn(2, 6, 5, 7)
    assert ConvNorm(6, 4, 3, dilation=3)(images).shape == (2, 4, 5, 7)
    assert separable(6, 4, dilation=2)(images).shape == (2, 4, 5, 7)
    assert resize_to(images, torch.zeros(1, 1, 9, 9)).shape == (2, 6, 9, 9)


def test_a_single_position_has_no_batch_statistics() -> None:
    layer = ConvNorm(6, 4)
    with pytest.raises(ValueError, match="batch of one image leaves the decoder a single position"):
        layer(torch.randn(1, 6, 1, 1))
    assert layer.eval()(torch.randn(1, 6, 1, 1)).shape == (1, 4, 1, 1)
