import pytest
import torch

from segnext.models.decoders.aspp import ASPP


@pytest.mark.parametrize("use_separable", [False, True])
def test_rates_become_dilations(use_separable: bool) -> None:
    aspp = ASPP(6, 8, rates=(1, 2, 5), use_separable=use_separable)
    dilated = [m for m in aspp.branches.modules() if getattr(m, "kernel_size", None) == (3, 3)]
    assert [module.dilation for module in dilated] == [(2, 2), (5, 5)]
    assert [module.groups for module in dilated] == ([6, 6] if use_separable else [1, 1])
    assert aspp(torch.randn(2, 6, 5, 7)).shape == (2, 8, 5, 7)


def test_one_image_has_one_mean() -> None:
    with pytest.raises(ValueError, match="use a larger batch"):
        ASPP(6, 8)(torch.randn(1, 6, 5, 7))


def test_a_distant_pixel_is_seen_through_the_mean() -> None:
    aspp = ASPP(2, 4, rates=(1,)).eval()
    images = torch.zeros(1, 2, 9, 9)
    changed = images.clone()
    changed[..., 8, 8] = 100.0
    with torch.no_grad():
        assert not torch.equal(aspp(images)[..., 0, 0], aspp(changed)[..., 0, 0])
