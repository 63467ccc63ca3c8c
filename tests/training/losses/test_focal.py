import pytest
import torch
from torch.nn import functional

from segnext.errors import UsageError
from segnext.training.losses import CrossEntropy, Focal


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("weights", [None, (1.0, 0.1, 4.0)])
def test_follows_the_papers_equation(gamma: float, weights: tuple[float, ...] | None) -> None:
    logits = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    target = torch.randint(0, 3, (2, 15, 17))
    target[0, :7] = 255
    full = functional.interpolate(logits, size=(15, 17), mode="bilinear", align_corners=False)
    probabilities = full.softmax(1)
    alpha = (1.0, 1.0, 1.0) if weights is None else weights
    total = 0.0
    valid = (target != 255).nonzero().tolist()
    for picture, row, column in valid:
        label = int(target[picture, row, column])
        p = probabilities[picture, label, row, column]
        # The weights are kept in float32.
        total -= torch.tensor(alpha[label]).double() * (1 - p) ** gamma * p.log()
    found = Focal(gamma=gamma, class_weights=weights)(logits, target)
    torch.testing.assert_close(found, torch.as_tensor(total / len(valid)))


def test_without_fading_it_is_cross_entropy() -> None:
    logits, target = torch.randn(2, 4, 3, 3), torch.randint(0, 4, (2, 9, 9))
    torch.testing.assert_close(Focal(gamma=0)(logits, target), CrossEntropy()(logits, target))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_sure_pixels_have_finite_gradients(gamma: float) -> None:
    logits = torch.tensor([1000.0, -1000.0]).view(1, 2, 1, 1).requires_grad_()
    for label in (0, 1):
        loss = Focal(gamma=gamma)(logits, torch.full((1, 1, 1), label))
        (gradient,) = torch.autograd.grad(loss, logits)
        assert loss.item() == 2000 * label
        assert gradient.flatten().tolist() == [label, -label]


def test_wrong_gamma_is_named() -> None:
    with pytest.raises(UsageError, match=r"focal gamma must be at least 0, got -1"):
        Focal(gamma=-1)
