"""Model and loss as one module, and one optimizer step with it."""

from contextlib import nullcontext

import torch
from torch import Tensor, nn

from segnext.training.losses import CrossEntropy


class Objective(nn.Module):
    """Images and masks to a loss.

    One module, because a distributed wrapper only sees what goes through its own `forward`.

    Args:
        model: Images to logits.
        loss: Logits and masks to a scalar.
        mixed: Run the model in bfloat16 where autocast allows; the loss stays in float32.
    """

    def __init__(self, model: nn.Module, loss: CrossEntropy, *, mixed: bool = False) -> None:
        super().__init__()
        self.model = model
        self.loss = loss
        self.mixed = mixed

    def forward(self, images: Tensor, masks: Tensor) -> Tensor:
        """Compute the loss of images (B, C, H, W) against masks (B, H, W)."""
        context = (
            torch.autocast(images.device.type, torch.bfloat16) if self.mixed else nullcontext()
        )
        with context:
            logits = self.model(images)
        return self.loss(logits, masks)  # type: ignore[no-any-return]


def seed_step(seed: int, step: int) -> None:
    """Make a step's own randomness (drop path, dropout, first bases) a function of its number.

    A resumed run draws the same numbers as one that was never stopped.
    """
    # A large odd factor keeps steps of neighbouring seeds apart.
    torch.manual_seed((seed * 1_000_003 + step) % 2**63)
