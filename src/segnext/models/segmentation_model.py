"""What every model is to the rest of the package: images to logits, by an encoder and a decoder.

Shapes: B batch, C channels, H and W height and width of the image, K classes.
"""

from typing import Any, Protocol, Self, cast

import torch
from torch import Tensor, nn

from segnext.spec import ModelSpec


class ModelConfig(Protocol):
    """Every argument of a model, as kept in weights files."""

    @property
    def num_classes(self) -> int:
        """K logits per pixel; one class means one logit and a sigmoid."""

    @property
    def in_channels(self) -> int:
        """Channels of the image."""

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description."""


def crop_logits(logits: Tensor, images: Tensor, decoder: nn.Module, stride: int) -> Tensor:
    """Take off what lies beyond the image, where a decoder enlarges a map that rounded up.

    Args:
        logits: (B, K, h, w), the decoder's; not touched if it has no `scale` but 1.
        images: (B, C, H, W) that they were computed of.
        decoder: What made them.
        stride: s, pixels of the image per logit.

    Returns:
        (B, K, ceil(H/s), ceil(W/s)).
    """
    if getattr(decoder, "scale", 1) == 1:
        return logits
    height, width = images.shape[-2:]
    # A slice would tie exported graphs to sizes that need a cut, or to those that need none.
    # Rounded up by adding first: ONNX divides negative numbers towards zero.
    rows = torch.arange((height + stride - 1) // stride, device=logits.device)
    columns = torch.arange((width + stride - 1) // stride, device=logits.device)
    return logits.index_select(2, rows).index_select(3, columns)


class SegmentationModel(nn.Module):
    """Images to logits at the decoder's resolution.

    `forward` does not resize: losses, metrics and predictors do, each in its own way and memory.

    Args:
        config: Every option; the one argument of every subclass.
        encoder: Images (B, C, H, W) to feature maps, fine to coarse; has `in_channels`,
            `out_channels` and `strides`.
        decoder: Those maps to logits; has a `classifier`, the convolution that makes them.
        output_stride: Pixels of the image per logit.
        auxiliaries: Further decoders on the same maps, in training alone.
        auxiliary_weight: Of the loss of each of them.

    Attributes:
        spec: What a weights file said about this model; `None` for a new one.
    """

    def __init__(
        self,
        config: Any,
        *,
        encoder: nn.Module,
        decoder: nn.Module,
        output_stride: int,
        auxiliaries: tuple[nn.Module, ...] = (),
        auxiliary_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.config: ModelConfig = config
        self.spec: ModelSpec | None = None
        self.encoder = encoder
        self.decoder = decoder
        self.output_stride = output_stride
        self.auxiliaries = nn.ModuleList(auxiliaries)
        self.auxiliary_weight = auxiliary_weight

    @property
    def classifier(self) -> nn.Conv2d:
        """The convolution (K, D, 1, 1) that makes the logits."""
        return cast("nn.Conv2d", self.decoder.classifier)

    def rebuild(self) -> Self:
        """Build the same model with new weights."""
        return type(self)(self.config)  # type: ignore[call-arg]

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits (B, K, ceil(H/s), ceil(W/s)) of normalised images (B, C, H, W).

        s is `output_stride`.

        Raises:
            ValueError: The encoder was built for other channels or larger images.
        """
        return self._decode(self.encoder(images), images)

    def forward_with_auxiliaries(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Compute logits as `forward` does, and those of every auxiliary decoder."""
        features = self.encoder(images)
        logits = self._decode(features, images)
        return logits, [auxiliary(features) for auxiliary in self.auxiliaries]

    def _decode(self, features: list[Tensor], images: Tensor) -> Tensor:
        return crop_logits(self.decoder(features), images, self.decoder, self.output_stride)
