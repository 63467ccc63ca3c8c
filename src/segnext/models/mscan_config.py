"""Every argument of an MSCAN, which the configurations of the models around it extend."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self

from segnext.errors import UsageError, describe_unknown
from segnext.models.layers import init_conv_weights
from segnext.models.mscan import MSCAN


@dataclass(frozen=True, kw_only=True)
class MSCANConfig:
    """Every argument of the encoder.

    Attributes:
        in_channels: Channels of the image.
        embed_dims: Channels of the four stages.
        depths: Blocks in each stage.
        mlp_ratios: Feed-forward expansion in each stage.
        drop_path_rate: Probability of skipping the last block's branches in training.
        branches: Strip lengths of the attention.
        stem_stride: Pixels of the image per position of the first stage: 4, or 2 or 1 for small
            pictures; the other stages follow.
        activation_checkpointing: Recompute blocks in the backward pass to save memory.
        attention: The encoder's, `msca` or VAN's `large_kernel`, which has no branches.
        channel_mixing: The 1x1 in the encoder's attention.
        gate: The multiplication in the encoder's attention.
    """

    option_kind: ClassVar[str] = "encoder option"  # what messages call a field

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

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description; `from_dict` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild a configuration; lists become tuples.

        Raises:
            UsageError: An option does not exist, or is out of range; names the nearest ones.
        """
        valid = [entry.name for entry in fields(cls)]
        for name in data:
            if name not in valid:
                raise UsageError(describe_unknown(cls.option_kind, name, valid))
        options: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
        }
        return cls(**options)


def build_encoder(config: MSCANConfig) -> MSCAN:
    """Build the encoder of a configuration, newly initialised."""
    encoder = construct_encoder(config)
    encoder.apply(init_conv_weights)
    return encoder


def construct_encoder(config: MSCANConfig) -> MSCAN:
    """Build the encoder of a configuration; its weights are PyTorch's, and to be initialised."""
    return MSCAN(
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
