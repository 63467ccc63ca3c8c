"""MSCAN as a classifier: what its encoder is pretrained as (arXiv 2209.08575, section 4.1).

The mean over all positions of stage 4, then one linear layer. It is called `head`, as in published
ImageNet files.

Shapes: B batch, C channels, H and W height and width of the image, K classes.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from segnext.errors import UsageError, describe_unknown
from segnext.models.layers import ChannelDropout, init_conv_weights
from segnext.models.mscan_config import MSCANConfig, construct_encoder
from segnext.models.registry import MODELS

HEAD_STD = 0.02

# Rates of drop path are those of the ImageNet recipe.
CLASSIFIERS: dict[str, dict[str, Any]] = {
    name.replace("segnext", "mscan"): {
        "embed_dims": preset["embed_dims"],
        "depths": preset["depths"],
        "drop_path_rate": 0.2 if name == "segnext_large" else 0.1,
    }
    for name, preset in MODELS.items()
}


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig(MSCANConfig):
    """Every argument of a classifier, as kept in weights files: those of `MSCANConfig`, and these.

    Attributes:
        num_classes: K logits per image.
        dropout: Probability of dropping a feature before the linear layer.

    Raises:
        UsageError: One of these is out of range.
    """

    option_kind: ClassVar[str] = "classifier option"

    num_classes: int
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.num_classes < 2:
            msg = f"a classifier tells at least 2 classes apart, got num_classes {self.num_classes}"
            raise UsageError(msg)
        if not 0.0 <= self.dropout < 1.0:
            msg = f"dropout must lie in [0, 1), got {self.dropout}"
            raise UsageError(msg)


class Classifier(nn.Module):
    """MSCAN and a linear layer; images to one logit per class.

    Args:
        config: Every option.

    Attributes:
        encoder: `MSCAN`; the start of a segmentation model, under the same names.
        head: The linear layer (K, C of stage 4).
    """

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = construct_encoder(config)
        self.dropout = ChannelDropout(config.dropout)
        self.head = nn.Linear(self.encoder.out_channels[-1], config.num_classes)
        self.encoder.apply(init_conv_weights)
        nn.init.trunc_normal_(self.head.weight, std=HEAD_STD)
        nn.init.zeros_(self.head.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits (B, K) of normalised images (B, C, H, W).

        Raises:
            ValueError: The encoder was built for other channels or larger images.
        """
        pooled = self.encoder(images)[-1].mean(dim=(2, 3), keepdim=True)
        return self.head(self.dropout(pooled).flatten(1))  # type: ignore[no-any-return]


def create_classifier(
    name: str, *, num_classes: int = 1000, in_channels: int = 3, **options: Any
) -> Classifier:
    """Build a classifier with new weights.

    Args:
        name: `mscan_tiny`, `mscan_small`, `mscan_base` or `mscan_large`.
        num_classes: K, at least 2.
        in_channels: Channels of the images, at least 1.
        **options: Any other field of `ClassifierConfig`, over the preset, such as `stem_stride`.

    Returns:
        A module in training mode: images (B, in_channels, H, W) to logits (B, K).

    Raises:
        UsageError: Unknown name or option, or an option out of range.
    """
    return Classifier(
        configure_classifier(name, num_classes=num_classes, in_channels=in_channels, **options)
    )


def configure_classifier(
    name: str, *, num_classes: int, in_channels: int = 3, **options: Any
) -> ClassifierConfig:
    """Return the full configuration of a named classifier.

    Raises:
        UsageError: Unknown name or option.
    """
    if name not in CLASSIFIERS:
        raise UsageError(describe_unknown("classifier", name, CLASSIFIERS))
    return ClassifierConfig.from_dict(
        {"num_classes": num_classes, "in_channels": in_channels, **CLASSIFIERS[name], **options}
    )
