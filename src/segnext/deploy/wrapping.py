"""A network with what a file for another runtime holds besides: pixels in, labels out.

Shapes: B batch, C channels, H and W height and width of the images, K classes, h and w those of
logits.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from segnext.inference.description import GraphDescription
from segnext.inference.network import InferenceNetwork
from segnext.spec import Normalization

GREATEST_BYTE = 255


class ExportedNetwork(nn.Module):
    """A network between the input and the output that a description promises.

    Args:
        network: Whose logits are given, or labelled.
        description: Says what goes in and what comes out.
        channels_last: Keep tensors in the layout that is fastest in most runtimes; ExecuTorch's
            converter knows only the other one.
    """

    def __init__(
        self,
        network: InferenceNetwork,
        description: GraphDescription,
        *,
        channels_last: bool = True,
    ) -> None:
        super().__init__()
        if not channels_last:
            network.lay_out_plainly()
        normalization = description.spec.normalization
        self.normalize = PixelNormalization(normalization) if description.pixels else None
        self.network = network
        self.labels = description.output == "labels"
        many = description.spec.classes.num_labels > GREATEST_BYTE
        self.label_type = torch.int32 if many else torch.uint8

    def forward(self, images: Tensor) -> Tensor:
        """Compute what the description says of what it says."""
        if self.normalize is not None:
            images = self.normalize(images)
        logits: Tensor = self.network(images).float()
        if not self.labels:
            return logits
        scores = functional.interpolate(
            logits, size=images.shape[-2:], mode="bilinear", align_corners=False
        )
        # A single logit stands against 0, and loses where both are equal.
        winners = scores.argmax(dim=1) if scores.shape[1] > 1 else scores[:, 0] > 0
        return winners.to(self.label_type)


class PixelNormalization(nn.Module):
    """Stored 8-bit pixels (B, H, W, C) to what the network wants, (B, C, H, W) float32.

    `segnext.data.transforms.normalize` as a part of a graph.

    Args:
        normalization: Of C channels.
    """

    mean: Tensor
    std: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, normalization: Normalization) -> None:
        super().__init__()
        self.clips = normalization.low is not None
        numbers = {
            "mean": normalization.mean,
            "std": normalization.std,
            "low": normalization.low,
            "high": normalization.high,
        }
        for name, values in numbers.items():
            if values is not None:
                self.register_buffer(name, torch.tensor(values)[:, None, None])
        nodata = normalization.nodata
        # A value that no byte can hold marks nothing.
        held = nodata is not None and 0 <= nodata <= GREATEST_BYTE and nodata == int(nodata)
        self.nodata = int(cast("float", nodata)) if held else None

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalise pixels; 0 where nothing was observed."""
        stored = pixels.permute(0, 3, 1, 2).float()
        scaled = stored / GREATEST_BYTE
        if self.clips:
            scaled = torch.minimum(torch.maximum(scaled, self.low), self.high)
        normalized = (scaled - self.mean) / self.std
        if self.nodata is None:
            return normalized
        # The largest distance to the value tells it as `all` would, which not every runtime has.
        observed = (stored - self.nodata).abs().amax(dim=1, keepdim=True) > 0
        return normalized * observed.float()


def halve(network: InferenceNetwork) -> InferenceNetwork:
    """Turn a network's weights and activations to float16, in place.

    Normalisations sum over many values and the decomposition divides by small ones: both stay
    float32, as does what comes out of them until the next convolution.
    """
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.GroupNorm | nn.LayerNorm):
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, _Float32(module))
    network.cast(torch.float16)
    for module in network.modules():
        if isinstance(module, _Float32):
            module.float()
    return network


class _Float32(nn.Module):
    """A normalisation that computes in float32 whatever it is given."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: Tensor) -> Tensor:
        """Normalise; the type stays what it was."""
        return self.module(images.float()).to(images.dtype)  # type: ignore[no-any-return]
