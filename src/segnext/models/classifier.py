"""MSCAN as a classifier: what its encoder is pretrained as (arXiv 2209.08575, section 4.1).

The mean over all positions of stage 4, then one linear layer. It is called `head`, as in published
ImageNet files.

Shapes: B batch, C channels, H and W height and width of the image, K classes.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from torch import Tensor, nn

from segnext.errors import UsageError, describe_unknown
from segnext.models.layers import ChannelDropout, init_conv_weights
from segnext.models.mscan import MSCAN
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
class ClassifierConfig:
    """Every argument of a classifier, as kept in weights files.

    Attributes:
        num_classes: K logits per image.
        in_channels: Channels of the image.
        embed_dims: Channels of the four stages.
        depths: Blocks in each stage.
        mlp_ratios: Feed-forward expansion in each stage.
        drop_path_rate: Probability of skipping the last block's branches in training.
        branches: Strip lengths of the attention.
        stem_stride: Pixels of the image per position of the first stage: 4, or 2 or 1 for small
            pictures; the other stages follow.
        activation_checkpointing: Recompute blocks in the backward pass to save memory.
        attention: `msca` or VAN's `large_kernel`, which has no branches.
        channel_mixing: The 1x1 in the attention.
        gate: The multiplication in the attention.
        dropout: Probability of dropping a feature before the linear layer.
    """

    num_classes: int
    in_channels: int = 3
    embed_dims: tuple[int, ...]
    depths: tuple[int, ...]
    mlp_ratios: tuple[int, ...] = (8, 8, 4, 4)
    drop_path_rate: float = 0.1
    branches: tuple[int, ...] = (7, 11, 21)
    stem_stride: int = 4
    activation_checkpointing: bool = False
    attention: str = "msca"
    channel_mixing: bool = True
    gate: bool = True
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.num_classes < 2:
            msg = f"a classifier tells at least 2 classes apart, got num_classes {self.num_classes}"
            raise UsageError(msg)
        if not 0.0 <= self.dropout < 1.0:
            msg = f"dropout must lie in [0, 1), got {self.dropout}"
            raise UsageError(msg)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description; `from_dict` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "ClassifierConfig":
        """Rebuild a configuration; lists become tuples.

        Raises:
            UsageError: An option does not exist or is out of range; names the nearest ones.
        """
        valid = [entry.name for entry in fields(cls)]
        for name in data:
            if name not in valid:
                raise UsageError(describe_unknown("classifier option", name, valid))
        options: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
        }
        return cls(**options)


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
        self.encoder = MSCAN(
            in_channels=config.in_channels,
            embed_dims=config.embed_dims,
            depths=config.depths,
            mlp_ratios=config.mlp_ratios,
            drop_path_rate=config.drop_path_rate,
            branches=config.branches,
            stem_stride=config.stem_stride,
            activation_checkpointing=config.activation_checkpointing,
            attention=config.attention,
            channel_mixing=config.channel_mixing,
            gate=config.gate,
        )
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
