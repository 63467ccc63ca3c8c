"""The paper's cost table, and its way of counting, so that its figures can be found again.

Paper: arXiv 2209.08575, tables 2 and 9; their "GFLOPs" are multiply-accumulates and more. The
authors' `tools/get_flops.py` prints what torchprofile counts of the network with its logits
upsampled to the image. Three things set its figures apart from ours:

- The paper's decoder resizes the stages before it squeezes them; ours squeezes first, which is the
  same function for a quarter of that layer's work. `AsPublished` keeps the paper's order.
- torchprofile adds one for each product outside of matrices and for each normalised value, and
  four for each value that is resized bilinearly, the logits at full resolution among them.
- It takes neither sums nor activations into account.

`docs/benchmark_command.md` has the figures side by side.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from segnext.benchmark.costs import Operation
from segnext.models import SegNeXt

_COUNTED_BY_TORCHPROFILE = {
    "mul": 1,
    "native_batch_norm": 1,
    "native_layer_norm": 1,
    "native_group_norm": 1,
    "upsample_bilinear2d": 4,
}


@dataclass(frozen=True)
class PublishedCost:
    """A figure of table 9.

    Attributes:
        model: As the paper's authors or we name it.
        parameters: In millions, with ADE20K's classes.
        gmacs: What is printed under "GFLOPs", in 10**9.
        num_classes: K of the data set.
        size: Height and width of the image [px].
    """

    model: str
    parameters: float
    gmacs: float
    num_classes: int
    size: tuple[int, int]


def _rows(model: str, parameters: float, ade20k: float, cityscapes: float) -> list[PublishedCost]:
    return [
        PublishedCost(model, parameters, ade20k, 150, (512, 512)),
        PublishedCost(model, parameters, cityscapes, 19, (1024, 2048)),
    ]


PUBLISHED_COSTS: tuple[PublishedCost, ...] = (
    *_rows("segnext_tiny", 4.3, 6.6, 50.5),
    *_rows("segnext_small", 13.9, 15.9, 124.6),
    *_rows("segnext_base", 27.6, 34.9, 275.7),
    *_rows("segnext_large", 48.9, 70.0, 577.5),
)
SEGFORMER_B2: tuple[PublishedCost, ...] = tuple(_rows("segformer_b2", 27.5, 62.4, 717.1))


class AsPublished(nn.Module):
    """The same function as a SegNeXt and the upsampling behind it, in the paper's order of work.

    Args:
        model: Shares its modules and weights.
    """

    def __init__(self, model: SegNeXt) -> None:
        super().__init__()
        self.encoder = model.encoder
        self.decoder = model.decoder
        self.train(model.training)

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits (B, K, H, W) of normalised images (B, C, H, W)."""
        decoder = self.decoder
        features = self.encoder(images)
        read = [features[stage - 1] for stage in decoder.stages]
        resized = [_resize(feature, read[0].shape[-2:]) for feature in read]
        squeezed = functional.relu(decoder.squeeze(torch.cat(resized, dim=1)))
        aligned = functional.relu(decoder.align(decoder.context(squeezed)))
        return _resize(decoder.classifier(decoder.dropout(aligned)), images.shape[-2:])


def _resize(images: Tensor, size: Sequence[int]) -> Tensor:
    return functional.interpolate(images, size=tuple(size), mode="bilinear", align_corners=False)


def count_as_published(operations: Sequence[Operation]) -> int:
    """Sum operations as torchprofile does: MACs, products, normalised and resized values."""
    return sum(
        operation.macs + _COUNTED_BY_TORCHPROFILE.get(operation.name, 0) * operation.values
        for operation in operations
    )
