import pytest
import torch
from torch import Tensor
from torch.nn import functional

from segnext.errors import UsageError
from segnext.training.losses import CrossEntropy


def example(classes: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return logits, the same at full resolution, and a target."""
    logits = torch.randn(2, classes, 4, 5, requires_grad=True)
    target = torch.randint(0, max(2, classes), (2, 32, 40))
    target[0, :10] = 255
    full = functional.interpolate(logits, size=(32, 40), mode="bilinear", align_corners=False)
    return logits, full, target


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, (0.5, 1.0, 2.0, 0.0, 1.0, 3.0)])
def test_mean_over_valid_pixels_is_torchs(
    label_smoothing: float, weights: tuple[float, ...] | None
) -> None:
    logits, full, target = example(6)
    loss = CrossEntropy(class_weights=weights, label_smoothing=label_smoothing)
    expected = functional.cross_entropy(
        full,
        target,
        weight=None if weights is None else torch.tensor(weights),
        ignore_index=255,
        label_smoothing=label_smoothing,
    )
    torch.testing.assert_close(loss(logits, target), expected)


def test_mean_over_all_pixels_is_the_authors() -> None:
    logits, _, target = example(6)
    valid, every = CrossEntropy()(logits, target), CrossEntropy(mean="all")(logits, target)
    share = (target != 255).float().mean()
    torch.testing.assert_close(every, valid * share)


def test_one_class_is_binary() -> None:
    logits, full, target = example(1)
    valid = target != 255
    expected = functional.binary_cross_entropy_with_logits(full[:, 0][valid], target[valid].float())
    torch.testing.assert_close(CrossEntropy()(logits, target), expected)


def test_normalizers() -> None:
    target = torch.tensor([[[0, 1, 1, 255]]])
    assert CrossEntropy().normalizer(target).tolist() == [3]
    assert CrossEntropy(mean="all").normalizer(target).tolist() == [4]
    weighted = CrossEntropy(class_weights=(0.5, 2.0))
    assert weighted.normalizer(target).tolist() == [4.5]


def test_wrong_options_are_named() -> None:
    with pytest.raises(
        UsageError, match=r"unknown cross_entropy mean 'vald': did you mean valid or all\? valid: "
    ):
        CrossEntropy(mean="vald")  # type: ignore[arg-type]
    expected = r"cross_entropy label_smoothing must be at least 0 and below 1, got 1\.0"
    with pytest.raises(UsageError, match=expected):
        CrossEntropy(label_smoothing=1.0)
