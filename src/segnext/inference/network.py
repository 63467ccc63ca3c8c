"""A trained model as every backend and every exported file runs it.

Shapes: B batch, C channels, H and W height and width of the image, K classes.
"""

from copy import deepcopy
from typing import cast

import torch
from torch import Tensor, nn

from segnext.models import SegmentationModel
from segnext.models.segmentation_model import crop_logits


class InferenceNetwork(nn.Module):
    """Images to logits, in evaluation mode and without gradients.

    Args:
        model: Whose sizes are taken.

    Attributes:
        decoder: Has the `classifier` whose type is that of the arithmetic.
        channels_last: Compute in this memory format, the fastest in most runtimes.
    """

    decoder: nn.Module

    def __init__(self, model: SegmentationModel) -> None:
        super().__init__()
        self.num_classes = model.config.num_classes
        self.in_channels = model.config.in_channels
        self.output_stride = model.output_stride
        self.channels_last = True

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits (B, K, h, w) of normalised images (B, C, H, W) of 32 pixels or more."""
        dtype = cast("nn.Conv2d", self.decoder.classifier).weight.dtype
        if self.channels_last:
            return self.compute(images.to(dtype, memory_format=torch.channels_last))
        return self.compute(images.to(dtype))

    def compute(self, images: Tensor) -> Tensor:
        """Compute logits of images of the network's own type and memory format."""
        raise NotImplementedError

    def freeze(self) -> None:
        """Switch training and gradients off, and lay weights out channels_last."""
        self.eval().requires_grad_(False)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def cast(self, dtype: torch.dtype) -> None:
        """Change the type of weights and activations; the bases of decompositions stay float32."""
        bases = {n: b for n, b in self.named_buffers() if n.endswith("initial_bases")}
        self.to(dtype)
        for name, value in bases.items():
            owner, _, buffer = name.rpartition(".")
            setattr(self.get_submodule(owner), buffer, value)

    def lay_out_plainly(self) -> None:
        """Compute in (B, C, H, W) order instead of channels_last."""
        self.channels_last = False
        for parameter in self.parameters():  # also where several orders mean the same
            parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)


class PlainNetwork(InferenceNetwork):
    """A model that no rewrite is known for: a copy, as it was trained.

    Args:
        model: Whose function and weights are taken.
    """

    def __init__(self, model: SegmentationModel) -> None:
        super().__init__(model)
        self.encoder = deepcopy(model.encoder)
        self.decoder = deepcopy(model.decoder)
        self.freeze()

    def compute(self, images: Tensor) -> Tensor:
        """Encode and decode."""
        logits = self.decoder(self.encoder(images))
        return crop_logits(logits, images, self.decoder, self.output_stride)
