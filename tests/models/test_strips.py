import pytest
import torch
from torch.nn import functional

from segnext.models.strips import WideStrip


@pytest.mark.parametrize("length", [1, 7, 21])
@pytest.mark.parametrize("size", [(9, 11), (5, 40), (1, 1), (3, 64)])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_same_values_and_gradients_as_a_convolution(
    length: int, size: tuple[int, int], memory_format: torch.memory_format
) -> None:
    strip = WideStrip(6, length)
    images = torch.randn(2, 6, *size).contiguous(memory_format=memory_format)
    weights = torch.randn(2, 6, *size)
    ours, plain = images.clone().requires_grad_(), images.clone().requires_grad_()
    found = strip(ours)
    expected = functional.conv2d(
        plain, strip.weight, strip.bias, padding=(0, length // 2), groups=6
    )
    torch.testing.assert_close(found, expected)
    parameters = list(strip.parameters())
    gradients = torch.autograd.grad((found * weights).sum(), [ours, *parameters])
    wanted = torch.autograd.grad((expected * weights).sum(), [plain, *parameters])
    for one, other in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_evaluation_and_autocast_use_the_convolution_itself() -> None:
    strip = WideStrip(4, 7)
    images = torch.randn(1, 4, 8, 8)
    with torch.no_grad():
        assert strip(images).grad_fn is None
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert "Strip" not in type(strip(images).grad_fn).__name__
    assert "Strip" in type(strip(images).grad_fn).__name__
