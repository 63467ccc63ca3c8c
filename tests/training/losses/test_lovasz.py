from itertools import permutations

import pytest
import torch
from torch import Tensor

from segnext.training.losses import Lovasz


def jaccard_loss(member: list[bool], mistakes: set[int]) -> float:
    """Return 1 - I / U of a class whose predicted set differs from the true one in `mistakes`."""
    true = {pixel for pixel, inside in enumerate(member) if inside}
    predicted = true ^ mistakes
    union = true | predicted
    return 1 - len(true & predicted) / len(union) if union else 0.0


def extension(errors: Tensor, member: list[bool]) -> float:
    """Evaluate the Lovász extension as the largest value over all orders.

    The loss is submodular, so no order of the pixels beats the descending one.
    """
    best = -float("inf")
    for order in permutations(range(len(member))):
        seen: set[int] = set()
        total = 0.0
        for pixel in order:
            gain = jaccard_loss(member, seen | {pixel}) - jaccard_loss(member, seen)
            total += errors[pixel].item() * gain
            seen.add(pixel)
        best = max(best, total)
    return best


@pytest.mark.parametrize(
    "labels", [[0, 0, 1, 2, 1, 0], [1, 1, 1, 1, 1, 1], [2, 0, 255, 0, 255, 2], [0, 1, 1, 1, 1, 1]]
)
def test_softmax_is_the_extension_of_the_jaccard_loss(labels: list[int]) -> None:
    logits = torch.randn(1, 3, 2, 3, dtype=torch.float64)
    valid = [pixel for pixel, label in enumerate(labels) if label != 255]
    probabilities = logits.softmax(1).view(3, 6)[:, valid]
    losses = []
    for label in sorted({labels[pixel] for pixel in valid}):
        member = [labels[pixel] == label for pixel in valid]
        errors = (torch.tensor(member).double() - probabilities[label]).abs()
        losses.append(extension(errors, member))
    found = Lovasz()(logits, torch.tensor(labels).view(1, 2, 3))
    assert found.item() == pytest.approx(sum(losses) / len(losses))


@pytest.mark.parametrize(
    "labels", [[0, 0, 1, 0, 1, 0], [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0], [0, 255, 1, 0, 255, 1]]
)
def test_hinge_is_the_extension_at_the_margins(labels: list[int]) -> None:
    logits = torch.randn(1, 1, 2, 3, dtype=torch.float64)
    valid = [pixel for pixel, label in enumerate(labels) if label != 255]
    signs = torch.tensor([1.0 if labels[pixel] == 1 else -1.0 for pixel in valid])
    errors = (1 - signs * logits.flatten()[valid]).clamp(min=0)
    expected = extension(errors, [labels[pixel] == 1 for pixel in valid])
    found = Lovasz()(logits, torch.tensor(labels).view(1, 2, 3))
    assert found.item() == pytest.approx(expected)


def test_hard_predictions_cost_one_minus_the_intersection_over_union() -> None:
    target = torch.randint(0, 3, (1, 16, 16))
    predicted = target.clone()
    predicted[0, :5] = torch.randint(0, 3, (5, 16))
    logits = 200 * torch.nn.functional.one_hot(predicted).permute(0, 3, 1, 2).float()
    overlaps = [
        ((predicted == label) & (target == label)).sum()
        / ((predicted == label) | (target == label)).sum()
        for label in range(3)
    ]
    torch.testing.assert_close(Lovasz()(logits, target), 1 - torch.stack(overlaps).mean())


def test_the_normalizer_counts_pictures_with_counted_pixels() -> None:
    target = torch.full((3, 4, 4), 255)
    target[1, 0, 0] = 2
    assert Lovasz().normalizer(target).tolist() == [1]
