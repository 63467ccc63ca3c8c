import pytest
import torch
import transformers

from encoder_contract import assert_close, check_contract
from segnext.models.encoders.efficientnet import EfficientNet
from segnext.models.encoders.surgery import DropPath


@pytest.mark.parametrize("in_channels", [1, 3, 4])
def test_contract(in_channels: int) -> None:
    encoder = EfficientNet("efficientnet_b0", in_channels=in_channels, drop_path_rate=0.5)
    assert encoder.out_channels == (24, 40, 112, 320)
    check_contract(encoder)


# Table 2 of the paper, and of Noisy Student for L2, in millions, less what is not built here:
# the last 1x1 with its normalisation and the classifier.
@pytest.mark.parametrize(
    ("size", "millions", "channels"),
    [
        ("efficientnet_b0", 5.3, 1280),
        ("efficientnet_b1", 7.8, 1280),
        ("efficientnet_b2", 9.2, 1408),
        ("efficientnet_b3", 12.0, 1536),
        ("efficientnet_b4", 19.0, 1792),
        ("efficientnet_b5", 30.0, 2048),
        ("efficientnet_b6", 43.0, 2304),
        ("efficientnet_b7", 66.0, 2560),
        ("efficientnet_l2", 480.0, 5504),
    ],
)
def test_parameters_of_the_papers(size: str, millions: float, channels: int) -> None:
    with torch.device("meta"):
        encoder = EfficientNet(size)
    left_out = channels * (encoder.out_channels[-1] + 2) + 1001 * channels
    parameters = sum(p.numel() for p in encoder.parameters()) + left_out
    assert parameters / 1e6 == pytest.approx(millions, rel=0.03)


def test_branches_are_dropped_whole() -> None:
    encoder = EfficientNet("efficientnet_b0", drop_path_rate=0.8)
    rates = [module.rate for module in encoder.modules() if isinstance(module, DropPath)]
    assert rates == pytest.approx([0.05 * index for index in range(16)])
    assert not any(isinstance(module, torch.nn.Dropout) for module in encoder.modules())


def test_the_same_function_as_in_transformers() -> None:
    encoder = EfficientNet("efficientnet_b0").eval()
    config = transformers.EfficientNetConfig(
        width_coefficient=1.0, depth_coefficient=1.0, hidden_dim=1280
    )
    other = transformers.EfficientNetModel(config).eval()
    other.embeddings.load_state_dict(encoder.stem.state_dict())
    other.encoder.blocks.load_state_dict(encoder.blocks.state_dict())
    # At odd sizes `transformers` cuts a column off, where TensorFlow pads.
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        hidden = other.encoder(other.embeddings(images), output_hidden_states=True).hidden_states
        for found, index in zip(encoder(images), encoder.last_blocks, strict=True):
            assert_close(found, hidden[index + 1])
