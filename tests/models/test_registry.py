import pytest

from segnext.errors import UsageError
from segnext.models import create_encoder, create_model, list_models


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("segnext_tiny", 4_263_414),
        ("segnext_small", 13_932_886),
        ("segnext_base", 27_636_310),
        ("segnext_large", 48_926_550),
    ],
)
def test_parameter_counts_of_the_paper(name: str, parameters: int) -> None:
    model = create_model(name, num_classes=150)
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_names_are_answered_with_the_nearest() -> None:
    assert list_models() == ["segnext_tiny", "segnext_small", "segnext_base", "segnext_large"]
    with pytest.raises(
        UsageError, match="unknown model 'segnext_tinny': did you mean segnext_tiny"
    ):
        create_model("segnext_tinny", num_classes=2)
    with pytest.raises(UsageError, match="unknown encoder 'segnext_tiny'"):
        create_encoder("segnext_tiny")
    with pytest.raises(UsageError, match="unknown encoder option 'rank'"):
        create_encoder("mscan_tiny", rank=3)


def test_encoder_alone() -> None:
    encoder = create_encoder("mscan_tiny", in_channels=4)
    assert encoder.out_channels == (32, 64, 160, 256)
    assert encoder.stages[0].downsample[0].in_channels == 4
