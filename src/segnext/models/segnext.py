"""SegNeXt: MSCAN encoder, LightHam decoder (arXiv 2209.08575).

Shapes: B batch, C channels, H and W height and width of the image, K classes.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from torch import nn

from segnext.errors import UsageError, describe_unknown
from segnext.models.hamburger import LightHam
from segnext.models.layers import init_conv_weights
from segnext.models.mscan import MSCAN
from segnext.models.segmentation_model import SegmentationModel


@dataclass(frozen=True, kw_only=True)
class SegNeXtConfig:
    """Every argument of a SegNeXt, as kept in weights files.

    Attributes:
        num_classes: K logits per pixel; one class means one logit and a sigmoid.
        in_channels: Channels of the image.
        embed_dims: Channels of the four stages.
        depths: Blocks in each stage.
        mlp_ratios: Feed-forward expansion in each stage.
        drop_path_rate: Probability of skipping the last block's branches in training.
        branches: Strip lengths of the attention.
        stem_stride: Pixels of the image per position of the first stage: 4, or 2 or 1 for small
            pictures; the other stages follow.
        activation_checkpointing: Recompute blocks in the backward pass to save memory.
        decoder_width: D, a multiple of 32.
        rank: R of the matrix decomposition.
        train_steps: Updates of the decomposition in training.
        eval_steps: Updates of the decomposition in evaluation.
        decoder_stages: Encoder stages that the decoder reads, 1 to 4.
        dropout: Probability of dropping a channel before the classifier.
        attention: The encoder's, `msca` or VAN's `large_kernel`, which has no branches.
        channel_mixing: The 1x1 in the encoder's attention.
        gate: The multiplication in the encoder's attention.
        decomposition: Of the hamburger: `nmf`, `vq` or `cd`.
        decoder_attention: What the decoder looks around with: `hamburger`, or one of the other
            `CONTEXTS` in its place.
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
    decoder_width: int = 256
    rank: int = 16
    train_steps: int = 6
    eval_steps: int = 7
    decoder_stages: tuple[int, ...] = (2, 3, 4)
    dropout: float = 0.1
    attention: str = "msca"
    channel_mixing: bool = True
    gate: bool = True
    decomposition: str = "nmf"
    decoder_attention: str = "hamburger"

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description; `from_dict` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "SegNeXtConfig":
        """Rebuild a configuration; lists become tuples.

        Raises:
            UsageError: An option does not exist; names the nearest ones.
        """
        valid = [entry.name for entry in fields(cls)]
        for name in data:
            if name not in valid:
                raise UsageError(describe_unknown("model option", name, valid))
        options: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
        }
        return cls(**options)


class SegNeXt(SegmentationModel):
    """MSCAN and LightHam; images to logits at stride 8 unless the decoder reads other stages.

    Args:
        config: Every option.

    Attributes:
        encoder: `MSCAN`; images to four feature maps.
        decoder: `LightHam`; feature maps to logits.
    """

    config: SegNeXtConfig
    encoder: MSCAN
    decoder: LightHam

    def __init__(self, config: SegNeXtConfig) -> None:
        encoder = build_encoder(config)
        decoder = LightHam(
            encoder.out_channels,
            config.num_classes,
            width=config.decoder_width,
            rank=config.rank,
            train_steps=config.train_steps,
            eval_steps=config.eval_steps,
            stages=config.decoder_stages,
            dropout=config.dropout,
            decomposition=config.decomposition,
            attention=config.decoder_attention,
        )
        super().__init__(
            config,
            encoder=encoder,
            decoder=decoder,
            output_stride=decoder.output_stride(encoder.strides),
        )
        decoder.apply(init_conv_weights)
        nn.init.normal_(decoder.classifier.weight, std=0.01)


def build_encoder(config: SegNeXtConfig) -> MSCAN:
    """Build the encoder of a configuration, newly initialised."""
    encoder = MSCAN(
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
    encoder.apply(init_conv_weights)
    return encoder
