import pytest
import torch
import transformers

from encoder_contract import assert_close, check_contract
from segnext.models.encoders.mobilenet import MobileNetV2


@pytest.mark.parametrize(
    ("output_stride", "in_channels", "strides"),
    [(32, 3, (4, 8, 16, 32)), (16, 4, (4, 8, 16, 16)), (8, 1, (4, 8, 8, 8))],
)
def test_contract(output_stride: int, in_channels: int, strides: tuple[int, ...]) -> None:
    encoder = MobileNetV2(in_channels=in_channels, output_stride=output_stride)
    assert encoder.strides == strides
    check_contract(encoder)


def test_parameters() -> None:
    with torch.device("meta"):
        encoder = MobileNetV2()
    # torchvision's 3,504,872 less the classifier and the last 1x1 with its normalisation.
    unused = 1280 * 1000 + 1000 + 320 * 1280 + 2 * 1280
    assert sum(p.numel() for p in encoder.parameters()) == 3_504_872 - unused


@pytest.mark.parametrize("output_stride", [32, 16])
def test_the_same_function_as_in_transformers(output_stride: int) -> None:
    encoder = MobileNetV2(output_stride=output_stride).eval()
    config = transformers.MobileNetV2Config(output_stride=output_stride, tf_padding=True)
    other = transformers.MobileNetV2Model(config).eval()
    other.conv_stem.load_state_dict(encoder.stem.state_dict())
    other.layer.load_state_dict(encoder.blocks.state_dict())
    images = torch.randn(1, 3, 65, 98)
    with torch.no_grad():
        hidden = other(images, output_hidden_states=True).hidden_states
        for found, index in zip(encoder(images), (1, 4, 11, 15), strict=True):
            assert_close(found, hidden[index])
