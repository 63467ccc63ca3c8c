"""What was predicted of a batch, on the device where the batch lies.

Shapes: B batch, H and W height and width.
"""

import functools
from collections.abc import Sequence

import torch
from torch import Tensor

from segnext.inference.logits import PictureLogits
from segnext.inference.masks import compute_tensors


class TensorPrediction:
    """Labels of a batch of pictures as tensors.

    Args:
        logits: Of each picture, all of one size.

    Attributes:
        labels: Train ids, (B, H, W), uint8 or for more than 255 labels int32.
    """

    def __init__(self, logits: Sequence[PictureLogits]) -> None:
        self._logits = logits
        self.labels: Tensor = torch.stack([compute_tensors(one)[0] for one in logits])

    @functools.cached_property
    def confidence(self) -> Tensor:
        """Probability of each pixel's label, (B, H, W) float32 in 0-1; computed when asked for.

        Logits are kept on the device for it, a 64th of the pictures' pixels for each class.
        """
        found = [compute_tensors(one, confidence=True)[1] for one in self._logits]
        return torch.stack([one for one in found if one is not None])
