import pytest
import torch
from torch import nn

from segnext.models import SegmentationModel, create_model
from segnext.training.objective import Objective


class Mean(nn.Module):
    """A loss of one line: the mean of the logits."""

    def forward(
        self, logits: torch.Tensor, masks: torch.Tensor, normalizer: torch.Tensor
    ) -> torch.Tensor:
        return logits.mean() * normalizer


def compute(model: SegmentationModel) -> tuple[float, float, list[float]]:
    """Return the objective, the mean of the logits, and those of the auxiliaries' logits."""
    images, masks = torch.randn(2, 3, 64, 64), torch.zeros(2, 64, 64, dtype=torch.long)
    objective = Objective(model, Mean(), teacher=None)
    total = objective(images, masks, torch.zeros(2, dtype=torch.long), torch.ones(()), 2)
    logits, others = model.forward_with_auxiliaries(images)
    return total.item(), logits.mean().item(), [other.mean().item() for other in others]


def test_auxiliary_decoders_count_by_their_weight() -> None:
    model = create_model("fcn_resnet18", num_classes=3, width=16, dropout=0.0).eval()
    total, main, (auxiliary,) = compute(model)
    assert auxiliary != 0.0
    assert total == pytest.approx(main + 0.4 * auxiliary, rel=1e-4)


def test_without_auxiliaries_the_loss_is_that_of_the_logits() -> None:
    total, main, others = compute(create_model("mscan_tiny_fcn", num_classes=3, width=16).eval())
    assert others == []
    assert total == pytest.approx(main, rel=1e-4)
