"""What every loss promises."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from segnext.errors import UsageError
from segnext.training.losses import LOSSES, CrossEntropy, Loss, WeightedSum, build_loss

CHOICES = [*LOSSES, {"cross_entropy": {"mean": "all"}, "dice": 0.5, "ohem": {"fraction": 0.1}}]
WEIGHABLE = ("cross_entropy", "ohem", "focal")
WEIGHTS = {1: (0.5, 2.0), 3: (1.0, 0.5, 2.0)}


def example(classes: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Five pictures: one full of void, one of a single class, one without class 0."""
    logits = (3 * torch.randn(5, classes, 4, 5, dtype=dtype)).requires_grad_()
    target = torch.randint(0, max(2, classes), (5, 13, 17))
    target[0, :3] = 255
    target[1] = 255
    target[2, :, 5:] = 1
    target[3][target[3] == 0] = 1
    target[4] = 0
    return logits, target


def each_loss(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test for every loss, for one logit and several."""
    test = pytest.mark.parametrize("choice", CHOICES, ids=str)(test)
    return pytest.mark.parametrize("classes", [1, 3])(test)


@each_loss
def test_parts_add_up_to_the_whole(choice: str | dict, classes: int) -> None:
    weighable = not isinstance(choice, str) or choice in WEIGHABLE
    loss = build_loss(choice, class_weights=WEIGHTS[classes] if weighable else None)
    logits, target = example(classes)
    whole = loss(logits, target)
    (expected,) = torch.autograd.grad(whole, logits)
    parts = [slice(0, 1), slice(1, 2), slice(2, 5)]
    normalizer = sum(loss.normalizer(target[part]) for part in parts)
    assert normalizer.dtype == torch.float64
    torch.testing.assert_close(normalizer, loss.normalizer(target), rtol=1e-14, atol=0)
    total = sum(loss(logits[part], target[part], normalizer) for part in parts)
    torch.testing.assert_close(total, whole)
    torch.testing.assert_close(torch.autograd.grad(total, logits)[0], expected)
    assert expected.abs().max() > 0


@each_loss
def test_the_gradient_is_that_of_finite_differences(choice: str | dict, classes: int) -> None:
    logits, target = example(classes)
    loss = build_loss(choice)
    assert torch.autograd.gradcheck(lambda values: loss(values, target), logits, fast_mode=True)


@each_loss
@pytest.mark.parametrize("pictures", [1, 3])
def test_nothing_to_learn_from_is_zero_with_zero_gradient(
    choice: str | dict, classes: int, pictures: int
) -> None:
    logits = torch.randn(pictures, classes, 4, 5, requires_grad=True)
    loss = build_loss(choice)(logits, torch.full((pictures, 13, 17), 255))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert logits.grad.abs().max() == 0


@each_loss
def test_ignored_pixels_have_no_influence(choice: str | dict, classes: int) -> None:
    logits = torch.randn(2, classes, 6, 7)
    target = torch.randint(0, max(2, classes), (2, 6, 7))  # same size: nothing bleeds across
    target[:, 2:4] = 255
    changed = logits.clone()
    changed[:, :, 2:4] = 5 * torch.randn(2, classes, 2, 7)
    loss = build_loss(choice)
    torch.testing.assert_close(loss(changed, target), loss(logits, target))


@each_loss
def test_another_ignored_value_acts_the_same(choice: str | dict, classes: int) -> None:
    logits, target = example(classes)
    other = target.where(target != 255, -1)
    found = build_loss(choice, ignore_index=-1)(logits, other)
    assert torch.equal(found, build_loss(choice)(logits, target))


@each_loss
def test_right_logits_are_near_the_minimum(choice: str | dict, classes: int) -> None:
    target = torch.randint(0, max(2, classes), (2, 8, 8))
    signs = 2 * torch.nn.functional.one_hot(target).permute(0, 3, 1, 2).float() - 1
    right = 20 * (signs[:, 1:] if classes == 1 else signs)
    loss = build_loss(choice)
    if choice == "boundary":  # its minimum is the mean distance inside the true classes
        assert loss(right, target) < min(0, loss(torch.zeros_like(right), target))
    else:
        assert 0 <= loss(right, target) < 1e-4
    assert loss(-right, target) > loss(torch.zeros_like(right), target)


@pytest.mark.parametrize(
    ("choice", "weights"),
    [(name, None) for name in LOSSES if name != "lovasz"] + [(n, (0.5, 2.0)) for n in WEIGHABLE],
)
def test_one_logit_equals_two_of_which_one_is_zero(
    choice: str, weights: tuple[float, ...] | None
) -> None:
    logits, target = example(1)
    pair = torch.cat([torch.zeros_like(logits), logits], 1)
    loss = build_loss(choice, class_weights=weights)
    single, double = loss(logits, target), loss(pair, target)
    torch.testing.assert_close(single, double)
    gradients = [torch.autograd.grad(value, logits)[0] for value in (single, double)]
    torch.testing.assert_close(*gradients)


@each_loss
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_short_logits_give_a_float32_loss(
    choice: str | dict, classes: int, dtype: torch.dtype
) -> None:
    logits, target = example(classes, dtype)
    loss = build_loss(choice)
    found = loss(logits, target)
    assert found.dtype == torch.float32
    assert found.shape == ()
    (gradient,) = torch.autograd.grad(found, logits)
    assert gradient.dtype == dtype
    torch.testing.assert_close(found.double(), loss(logits.double(), target), rtol=1e-5, atol=1e-6)


@each_loss
def test_autocast_leaves_the_arithmetic_alone(choice: str | dict, classes: int) -> None:
    logits, target = example(classes, torch.float32)
    loss = build_loss(choice)
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(logits, target)
    torch.testing.assert_close(found, loss(logits, target))


def test_class_weights_stay_out_of_checkpoints_and_follow_the_module() -> None:
    loss = WeightedSum([CrossEntropy(class_weights=(1.0, 2.0))], [1.0])
    assert loss.state_dict() == {}
    assert [buffer.device.type for buffer in loss.to("meta").buffers()] == ["meta"]


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_wrong_class_weights_are_named(weight: float) -> None:
    with pytest.raises(UsageError, match=rf"class weight must be at least 0, got {weight}$"):
        CrossEntropy(class_weights=(1.0, weight))


def test_a_loss_of_weightless_pixels_is_zero() -> None:
    logits = torch.randn(1, 2, 3, 3, requires_grad=True)
    loss: Loss = CrossEntropy(class_weights=(0.0, 1.0))
    value = loss(logits, torch.zeros(1, 6, 6, dtype=torch.int64))
    value.backward()
    assert value.item() == 0
    assert logits.grad is not None
    assert logits.grad.abs().max() == 0
