"""Cross-entropy over logits of any resolution.

Shapes: B batch, K classes, h and w those of the logits, H and W those of the target.
"""

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional


class CrossEntropy(nn.Module):
    """Cross-entropy at the target's resolution; with one class, binary cross-entropy.

    Args:
        ignore_index: Target value of pixels that do not count.
        mean: `valid` divides by the pixels that count. `all` divides by every pixel, as the
            authors' code does, so that pictures with much void weigh less.
    """

    def __init__(self, *, ignore_index: int = 255, mean: Literal["valid", "all"] = "valid") -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.mean = mean

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute the mean loss, a scalar in float32; 0 where no pixel counts.

        Shape:
            - logits: (B, K, h, w), resized bilinearly to the target.
            - target: (B, H, W) int64, train ids and `ignore_index`.
        """
        logits = functional.interpolate(
            logits.float(), size=target.shape[-2:], mode="bilinear", align_corners=False
        )
        valid = target != self.ignore_index
        if logits.shape[1] == 1:
            wanted = (target == 1).to(logits.dtype)
            pixels = functional.binary_cross_entropy_with_logits(
                logits[:, 0], wanted, reduction="none"
            )
            total = (pixels * valid).sum()
        else:
            total = functional.cross_entropy(
                logits, target, ignore_index=self.ignore_index, reduction="sum"
            )
        count = valid.sum().clamp(min=1) if self.mean == "valid" else target.numel()
        return total / count
