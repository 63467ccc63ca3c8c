import pytest

from segnext.errors import UsageError
from segnext.models.classifier import ClassifierConfig
from segnext.models.mscan_config import MSCANConfig, build_encoder
from segnext.models.segnext import SegNeXtConfig

SIZES = {"embed_dims": [16, 32, 32, 32], "depths": [1, 1, 1, 1]}


@pytest.mark.parametrize("kind", [MSCANConfig, SegNeXtConfig, ClassifierConfig])
def test_what_is_written_is_read_back(kind: type[MSCANConfig]) -> None:
    classes = {} if kind is MSCANConfig else {"num_classes": 3}
    config = kind.from_dict({**SIZES, **classes, "stem_stride": 2})
    assert type(config) is kind
    assert config.embed_dims == (16, 32, 32, 32)
    assert kind.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (MSCANConfig, "unknown encoder option 'gates': did you mean gate"),
        (SegNeXtConfig, "unknown model option 'gates': did you mean gate"),
        (ClassifierConfig, "unknown classifier option 'gates': did you mean gate"),
    ],
)
def test_unknown_options_are_called_by_their_kind(kind: type[MSCANConfig], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        kind.from_dict({**SIZES, "gates": False})


def test_options_reach_the_encoder() -> None:
    encoder = build_encoder(MSCANConfig.from_dict({**SIZES, "in_channels": 5, "stem_stride": 1}))
    assert encoder.strides[0] == 1
    assert tuple(encoder.out_channels) == (16, 32, 32, 32)
    assert next(encoder.parameters()).shape[1] == 5
