import pytest
import torch

from segnext.errors import UsageError
from segnext.models.context import CONTEXTS
from segnext.models.hamburger import LightHam


def test_squeeze_before_resizing_equals_the_order_of_the_paper() -> None:
    decoder = LightHam((8, 16, 24, 32), 5, width=32, rank=4)
    features = [
        torch.randn(2, c, *size)
        for c, size in zip((8, 16, 24, 32), ((16, 20), (8, 10), (4, 5), (2, 3)), strict=True)
    ]
    resized = [
        torch.nn.functional.interpolate(f, size=(8, 10), mode="bilinear", align_corners=False)
        for f in features[1:]
    ]
    expected = decoder.squeeze[0](torch.cat(resized, 1))
    torch.testing.assert_close(decoder._squeeze_stages(features), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_classes": 0}, "num_classes must be at least 1, got 0"),
        ({"width": 48}, "decoder_width must be a multiple of 32, got 48"),
        ({"stages": (3, 2)}, r"ascending numbers from 1 to 4, got \(3, 2\)"),
        ({"stages": ()}, "decoder_stages"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
        ({"rank": 0}, "rank 0"),
        ({"decomposition": "nfm"}, "unknown decomposition 'nfm': did you mean nmf"),
        ({"attention": "cbma"}, "unknown decoder_attention 'cbma': did you mean cbam"),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        LightHam((8, 16, 24, 32), **{"num_classes": 3, **options})


@pytest.mark.parametrize("name", CONTEXTS)
def test_contexts_have_their_names_in_files(name: str) -> None:
    decoder = LightHam((8, 16, 24, 32), 5, width=32, rank=4, attention=name)
    inside = {key.split(".")[0] for key in decoder.state_dict()}
    own = set() if name == "none" else {name}
    assert inside == {"squeeze", "align", "classifier"} | own
    assert decoder.context is getattr(decoder, name)
