import math

import pytest
import torch
from torch.nn import functional

from segnext.errors import UsageError
from segnext.training.losses import CrossEntropy, Ohem


@pytest.mark.parametrize("fraction", [0.001, 0.25, 0.7, 1.0])
@pytest.mark.parametrize("weights", [None, (1.0, 0.1, 4.0)])
def test_keeps_the_largest_values_of_each_picture(
    fraction: float, weights: tuple[float, ...] | None
) -> None:
    logits = torch.randn(3, 3, 4, 4)
    target = torch.randint(0, 3, (3, 15, 17))
    target[0, :7] = 255
    target[1] = 255
    loss = Ohem(fraction=fraction, class_weights=weights)
    full = functional.interpolate(logits, size=(15, 17), mode="bilinear", align_corners=False)
    weight = None if weights is None else torch.tensor(weights)
    kept = []
    for scores, truth in zip(full, target, strict=True):
        valid = truth != 255
        values = functional.cross_entropy(
            scores[:, valid].T, truth[valid], weight=weight, reduction="none"
        )
        kept.append(values.sort(descending=True).values[: math.ceil(fraction * len(values))])
    expected = torch.cat(kept)
    torch.testing.assert_close(loss(logits, target), expected.mean())
    assert loss.normalizer(target).tolist() == [len(expected)]


def test_all_pixels_are_cross_entropy() -> None:
    logits, target = torch.randn(2, 4, 3, 3), torch.randint(0, 4, (2, 9, 9))
    torch.testing.assert_close(Ohem(fraction=1)(logits, target), CrossEntropy()(logits, target))


def test_equal_pixels_are_kept_in_the_right_number() -> None:
    logits = torch.zeros(1, 2, 2, 2, requires_grad=True)
    target = torch.zeros(1, 2, 2, dtype=torch.int64)
    Ohem(fraction=0.5)(logits, target).backward()
    assert logits.grad is not None
    assert (logits.grad[0, 0] != 0).sum() == 2


@pytest.mark.parametrize("fraction", [0, 1.5, -0.1])
def test_wrong_fraction_is_named(fraction: float) -> None:
    expected = rf"ohem fraction must be above 0 and at most 1, got {fraction}$"
    with pytest.raises(UsageError, match=expected):
        Ohem(fraction=fraction)
