import pytest
import torch
from torch.nn import functional

from segnext.inference import upsampling
from segnext.inference.cells import label_image
from segnext.inference.upsampling import interpolate, label_in_bands, label_scores, spread


@pytest.mark.parametrize("size", [(64, 96), (61, 35), (5, 3), (8, 12)])
def test_equals_interpolate(size: tuple[int, int]) -> None:
    scores = torch.randn(4, 8, 12)
    found = interpolate(scores, spread(size[0], 8), spread(size[1], 12))
    expected = functional.interpolate(scores[None], size=size, mode="bilinear")[0]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("band_values", [100, 4_000_000])
@pytest.mark.parametrize("classes", [1, 2, 9])
def test_bands_equal_cells(monkeypatch: pytest.MonkeyPatch, band_values: int, classes: int) -> None:
    monkeypatch.setattr(upsampling, "BAND_VALUES", band_values)
    logits = torch.randn(classes, 8, 12)
    assert torch.equal(label_in_bands(logits, 61, 100), label_image(logits, 61, 100))


def test_one_logit_gets_a_silent_partner() -> None:
    logits = torch.randn(1, 3, 4)
    torch.testing.assert_close(label_scores(logits).softmax(0)[1], logits[0].sigmoid())
