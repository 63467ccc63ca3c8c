"""What every model is to the rest of the package: images to logits, by an encoder and a decoder.

Shapes: B batch, C channels, H and W height and width of the image, K classes.
"""

from typing import Any, Protocol, Self, cast

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
        return self.decoder(self.encoder(images))  # type: ignore[no-any-return]

    def forward_with_auxiliaries(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Compute logits as `forward` does, and those of every auxiliary decoder."""
        features = self.encoder(images)
        return self.decoder(features), [auxiliary(features) for auxiliary in self.auxiliaries]
