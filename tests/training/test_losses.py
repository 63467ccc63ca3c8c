import pytest
import torch
from torch.nn import functional

from segnext.training.losses import CrossEntropy


def example(classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    logits = torch.randn(2, classes, 4, 5, requires_grad=True)
    target = torch.randint(0, max(2, classes), (2, 32, 40))
    target[0, :10] = 255
    return logits, target


def test_mean_over_valid_pixels_is_torchs() -> None:
    logits, target = example(6)
    full = functional.interpolate(logits, size=(32, 40), mode="bilinear", align_corners=False)
    expected = functional.cross_entropy(full, target, ignore_index=255)
    torch.testing.assert_close(CrossEntropy()(logits, target), expected)


def test_mean_over_all_pixels_is_the_authors() -> None:
    logits, target = example(6)
    valid, every = CrossEntropy()(logits, target), CrossEntropy(mean="all")(logits, target)
    share = (target != 255).float().mean()
    torch.testing.assert_close(every, valid * share)


def test_one_class_is_binary() -> None:
    logits, target = example(1)
    full = functional.interpolate(logits, size=(32, 40), mode="bilinear", align_corners=False)
    valid = target != 255
    expected = functional.binary_cross_entropy_with_logits(full[:, 0][valid], target[valid].float())
    torch.testing.assert_close(CrossEntropy()(logits, target), expected)


@pytest.mark.parametrize("classes", [1, 6])
def test_nothing_to_learn_from_is_zero_with_zero_gradient(classes: int) -> None:
    logits, target = example(classes)
    loss = CrossEntropy()(logits, torch.full_like(target, 255))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert logits.grad.abs().max() == 0


def test_half_logits_give_a_float32_loss() -> None:
    logits, target = example(3)
    assert CrossEntropy()(logits.bfloat16(), target).dtype == torch.float32
