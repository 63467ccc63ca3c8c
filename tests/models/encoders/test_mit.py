import pytest
import torch
import transformers

from encoder_contract import assert_close, check_contract
from segnext.models.encoders.mit import MiT
from segnext.models.encoders.surgery import DropPath


@pytest.mark.parametrize("in_channels", [1, 3, 4])
def test_contract(in_channels: int) -> None:
    encoder = MiT("mit_b0", in_channels=in_channels, drop_path_rate=0.5)
    assert encoder.out_channels == (32, 64, 160, 256)
    check_contract(encoder)


# Table 6 of the paper, in millions.
@pytest.mark.parametrize(
    ("size", "millions"),
    [
        ("mit_b0", 3.4),
        ("mit_b1", 13.1),
        ("mit_b2", 24.2),
        ("mit_b3", 44.0),
        ("mit_b4", 60.8),
        ("mit_b5", 81.4),
    ],
)
def test_parameters_of_the_paper(size: str, millions: float) -> None:
    with torch.device("meta"):
        encoder = MiT(size)
    assert sum(p.numel() for p in encoder.parameters()) / 1e6 == pytest.approx(millions, rel=0.03)


def test_drop_path_grows_over_all_blocks() -> None:
    rates = [m.rate for m in MiT("mit_b0", drop_path_rate=0.7).modules() if isinstance(m, DropPath)]
    assert rates == pytest.approx([0.1 * index for index in range(8)])


def test_the_same_function_as_in_transformers() -> None:
    encoder = MiT("mit_b0").eval()
    other = transformers.SegformerModel(transformers.SegformerConfig()).eval()
    other.load_state_dict(encoder.state_dict())
    images = torch.randn(1, 3, 65, 97)
    with torch.no_grad():
        expected = other(images, output_hidden_states=True).hidden_states
        for found, theirs in zip(encoder(images), expected, strict=True):
            assert_close(found, theirs)
