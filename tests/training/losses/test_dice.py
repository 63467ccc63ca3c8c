import pytest
import torch
from torch.nn import functional

from segnext.training.losses import Dice


def test_equals_dice_class_by_class() -> None:
    logits = torch.randn(2, 4, 4, 4, dtype=torch.float64)
    target = torch.randint(0, 4, (2, 15, 17))
    target[0, :7] = 255
    target[1][target[1] == 2] = 0
    full = functional.interpolate(logits, size=(15, 17), mode="bilinear", align_corners=False)
    losses = []
    for scores, truth in zip(full, target, strict=True):
        valid = truth != 255
        probabilities, labels = scores.softmax(0)[:, valid], truth[valid]
        for label in labels.unique().tolist():
            p, y = probabilities[label], (labels == label).double()
            losses.append(1 - 2 * (p * y).sum() / (p.sum() + y.sum()))
    assert len(losses) == 7
    torch.testing.assert_close(Dice()(logits, target), torch.stack(losses).mean())
    assert Dice().normalizer(target).tolist() == [7]


def test_hand_computed() -> None:
    # Two pixels, both half sure: each class has 1 - 2 * 0.5 / (1 + 1) = 0.5.
    loss = Dice()(torch.zeros(1, 2, 1, 2), torch.tensor([[[0, 1]]]))
    assert loss.item() == pytest.approx(0.5)


def test_a_picture_without_foreground_still_teaches() -> None:
    logits = torch.zeros(1, 1, 2, 2, requires_grad=True)
    Dice()(logits, torch.zeros(1, 4, 4, dtype=torch.int64)).backward()
    assert logits.grad is not None
    assert logits.grad.min() > 0
