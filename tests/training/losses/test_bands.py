import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from segnext.training.losses import bands
from segnext.training.losses.bands import map_in_bands, sum_in_bands


def values(logits: Tensor, target: Tensor) -> Tensor:
    return functional.cross_entropy(logits, target, reduction="none", ignore_index=255)


def plainly(logits: Tensor, target: Tensor) -> Tensor:
    full = functional.interpolate(
        logits, size=target.shape[-2:], mode="bilinear", align_corners=False
    )
    return values(full, target)


@pytest.mark.parametrize("rows", [1, 3, 7, 1000])
@pytest.mark.parametrize(
    "sizes",
    [
        ((4, 5), (32, 40)),
        ((4, 5), (29, 43)),  # no whole factor
        ((9, 11), (9, 11)),
        ((9, 12), (5, 7)),  # smaller
        ((1, 1), (6, 3)),
        ((3, 1), (1, 4)),
    ],
)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_bands_of_any_height_give_the_whole(
    rows: int,
    sizes: tuple[tuple[int, int], tuple[int, int]],
    memory_format: torch.memory_format,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    low, high = sizes
    logits = torch.randn(2, 3, *low, dtype=torch.float64)
    logits = logits.contiguous(memory_format=memory_format).requires_grad_()
    target = torch.randint(0, 3, (2, *high))
    target[0, 0, 0] = 255
    monkeypatch.setattr(bands, "CPU_BAND", rows * 3 * high[1])
    expected = plainly(logits, target)
    torch.testing.assert_close(map_in_bands(logits, target, values), expected)
    total = sum_in_bands(logits, target, values)
    torch.testing.assert_close(total, expected.sum())
    found, wanted = (torch.autograd.grad(loss, logits)[0] for loss in (total, expected.sum()))
    torch.testing.assert_close(found, wanted)


@settings(max_examples=40, deadline=None)
@given(
    low=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    high=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    limit=st.integers(1, 500),
)
def test_any_sizes_match_interpolation(
    low: tuple[int, int], high: tuple[int, int], limit: int
) -> None:
    logits = torch.randn(1, 2, *low, dtype=torch.float64, requires_grad=True)
    target = torch.randint(0, 2, (1, *high))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bands, "CPU_BAND", limit)
        total = sum_in_bands(logits, target, values)
    expected = plainly(logits, target).sum()
    torch.testing.assert_close(total, expected)
    found, wanted = (torch.autograd.grad(loss, logits)[0] for loss in (total, expected))
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize(("classes", "size"), [(11, (84, 120)), (150, (64, 64))])
def test_float32_is_as_exact_as_interpolation(classes: int, size: tuple[int, int]) -> None:
    height, width = size
    logits = 4 * torch.randn(2, classes, height // 8, width // 8)
    target = torch.randint(0, classes, (2, height, width))
    target[0, :9] = 255

    def learn(method, dtype: torch.dtype) -> tuple[Tensor, Tensor]:  # noqa: ANN001
        leaf = logits.to(dtype).requires_grad_()
        total = method(leaf)
        return total.detach(), torch.autograd.grad(total, leaf)[0]

    banded = learn(lambda leaf: sum_in_bands(leaf, target, values), torch.float32)
    plain = learn(lambda leaf: plainly(leaf, target).sum(), torch.float32)
    exact = learn(lambda leaf: plainly(leaf, target).sum(), torch.float64)
    for found, single, double in zip(banded, plain, exact, strict=True):
        assert (found - single).norm() < 1e-6 * single.norm()
        assert (found - double).norm() < 1e-6 * double.norm()


def test_no_band_exceeds_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def watch(logits: Tensor, target: Tensor) -> Tensor:
        sizes.append(logits.numel())
        return values(logits, target)

    monkeypatch.setattr(bands, "CPU_BAND", 1000)
    logits = torch.randn(2, 4, 4, 4, requires_grad=True)
    sum_in_bands(logits, torch.zeros(2, 32, 32, dtype=torch.int64), watch)
    assert max(sizes) <= 1000
    assert sum(sizes) == 2 * 4 * 32 * 32


def test_without_gradient_nothing_is_kept() -> None:
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    target = torch.zeros(1, 8, 8, dtype=torch.int64)
    expected = sum_in_bands(logits, target, values)
    with torch.no_grad():
        found = sum_in_bands(logits, target, values)
    assert found.grad_fn is None
    torch.testing.assert_close(found, expected.detach())
    assert not map_in_bands(logits, target, values).requires_grad


def test_backward_scales_and_can_be_repeated() -> None:
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    total = sum_in_bands(logits, torch.ones(1, 8, 8, dtype=torch.int64), values)
    (once,) = torch.autograd.grad(total, logits, retain_graph=True)
    (thrice,) = torch.autograd.grad(3 * total, logits)
    torch.testing.assert_close(thrice, 3 * once)
