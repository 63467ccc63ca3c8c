"""Model, loss and teacher as one module."""

import torch
from torch import Tensor, nn

from segnext.models import SegmentationModel
from segnext.models.randomness import keyed_randomness
from segnext.training.distillation import Teacher
from segnext.training.losses import Loss

AUTOCAST = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class Objective(nn.Module):
    """Images and masks to a loss.

    One module, because a distributed wrapper only sees what goes through its own `forward`.

    Args:
        model: Images to logits; its auxiliary decoders count by their weight.
        loss: Logits and masks to a scalar.
        precision: `fp32`, or the type that the model runs in where autocast allows; the loss
            stays in float32.
        teacher: Whose answers count as well.
    """

    def __init__(
        self,
        model: SegmentationModel,
        loss: Loss,
        *,
        precision: str = "fp32",
        teacher: Teacher | None,
    ) -> None:
        super().__init__()
        self.model = model
        self.loss = loss
        self.dtype = AUTOCAST[precision]
        # In a list, so that the teacher is no part of this module: it is not trained or wrapped.
        self._teacher = [teacher] if teacher else []

    def forward(
        self, images: Tensor, masks: Tensor, keys: Tensor, normalizer: Tensor, pictures: int
    ) -> Tensor:
        """Compute a part's contribution to the loss of a batch.

        Args:
            images: (B, C, H, W) of the part.
            masks: (B, H, W) of the part.
            keys: (B,) for the randomness of each sample.
            normalizer: Of the masks of the whole batch.
            pictures: In the whole batch.
        """
        kind = images.device.type
        with (
            keyed_randomness(keys),
            torch.autocast(kind, self.dtype, enabled=self.dtype is not None),
        ):
            logits, others = self.model.forward_with_auxiliaries(images)
        total: Tensor = self.loss(logits.float(), masks, normalizer)
        for auxiliary in others:
            total = total + self.model.auxiliary_weight * self.loss(
                auxiliary.float(), masks, normalizer
            )
        for teacher in self._teacher:
            total = total + teacher.compare(logits.float(), images) / pictures
        return total
