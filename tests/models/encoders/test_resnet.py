import pytest
import torch
import transformers

from encoder_contract import assert_close, check_contract
from segnext.models.encoders.resnet import SIZES, ResNet


@pytest.mark.parametrize(
    ("output_stride", "in_channels", "strides"),
    [(32, 3, (4, 8, 16, 32)), (16, 4, (4, 8, 16, 16)), (8, 1, (4, 8, 8, 8))],
)
def test_contract(output_stride: int, in_channels: int, strides: tuple[int, ...]) -> None:
    encoder = ResNet("resnet18", in_channels=in_channels, output_stride=output_stride)
    assert encoder.strides == strides
    check_contract(encoder)


# Of torchvision's models less their classifiers, 512 or 2048 channels to 1000 classes.
@pytest.mark.parametrize(
    ("size", "parameters"),
    [
        ("resnet18", 11_689_512 - 513_000),
        ("resnet34", 21_797_672 - 513_000),
        ("resnet50", 25_557_032 - 2_049_000),
        ("resnet101", 44_549_160 - 2_049_000),
        ("resnet152", 60_192_808 - 2_049_000),
    ],
)
def test_parameters(size: str, parameters: int) -> None:
    with torch.device("meta"):
        encoder = ResNet(size)
    assert sum(p.numel() for p in encoder.parameters()) == parameters
    assert encoder.out_channels == SIZES[size].channels


def test_the_same_function_as_in_transformers() -> None:
    encoder = ResNet("resnet18").eval()
    config = transformers.ResNetConfig(
        hidden_sizes=[64, 128, 256, 512], depths=[2, 2, 2, 2], layer_type="basic"
    )
    other = transformers.ResNetModel(config).eval()
    other.embedder.load_state_dict(encoder.stem.state_dict())
    other.encoder.stages.load_state_dict(encoder.stages.state_dict())
    images = torch.randn(1, 3, 65, 97)
    with torch.no_grad():
        expected = other(images, output_hidden_states=True).hidden_states[1:]
        for found, theirs in zip(encoder(images), expected, strict=True):
            assert_close(found, theirs)


def test_dilation_keeps_what_the_strided_encoder_sees() -> None:
    strided, dilated = ResNet("resnet18").eval(), ResNet("resnet18", output_stride=8).eval()
    dilated.load_state_dict(strided.state_dict())
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        coarse, fine = strided(images)[-1], dilated(images)[-1]
    assert_close(fine[..., ::4, ::4], coarse)
