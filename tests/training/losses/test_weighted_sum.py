import torch

from segnext.training.losses import CrossEntropy, Dice, Lovasz, WeightedSum


def test_adds_the_weighted_losses() -> None:
    losses, weights = [CrossEntropy(), Dice(), Lovasz()], [1.0, 0.5, 3.0]
    logits, target = torch.randn(2, 3, 4, 4), torch.randint(0, 3, (2, 16, 16))
    both = WeightedSum(losses, weights)
    expected = sum(w * loss(logits, target) for loss, w in zip(losses, weights, strict=True))
    torch.testing.assert_close(both(logits, target), expected)


def test_sums_of_sums_keep_every_normalizer() -> None:
    inner = WeightedSum([CrossEntropy(), Dice()], [1.0, 2.0])
    outer = WeightedSum([inner, Lovasz()], [0.5, 1.0])
    target = torch.tensor([[[0, 1, 255]], [[1, 1, 1]]])
    assert outer.normalizer(target).tolist() == [5, 3, 2]
    logits = torch.randn(2, 2, 1, 3)
    expected = 0.5 * inner(logits, target) + Lovasz()(logits, target)
    torch.testing.assert_close(outer(logits, target), expected)
