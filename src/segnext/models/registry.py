"""Models by name: the four sizes of the paper (table 2)."""

from typing import Any

from segnext.errors import UsageError, describe_unknown
from segnext.models.mscan import MSCAN
from segnext.models.segnext import SegNeXt, SegNeXtConfig, build_encoder

# Rates of drop path are those of the ADE20K recipes.
MODELS: dict[str, dict[str, Any]] = {
    "segnext_tiny": {"embed_dims": (32, 64, 160, 256), "depths": (3, 3, 5, 2)},
    "segnext_small": {"embed_dims": (64, 128, 320, 512), "depths": (2, 2, 4, 2)},
    "segnext_base": {
        "embed_dims": (64, 128, 320, 512),
        "depths": (3, 3, 12, 3),
        "decoder_width": 512,
        "rank": 64,
    },
    "segnext_large": {
        "embed_dims": (64, 128, 320, 512),
        "depths": (3, 5, 27, 3),
        "decoder_width": 1024,
        "rank": 64,
        "drop_path_rate": 0.3,
    },
}

_ENCODER_OPTIONS = (
    "drop_path_rate",
    "branches",
    "stem_stride",
    "activation_checkpointing",
    "attention",
    "channel_mixing",
    "gate",
)


def list_models() -> list[str]:
    """Return the names that `create_model` accepts."""
    return list(MODELS)


def create_model(name: str, *, num_classes: int, in_channels: int = 3, **options: Any) -> SegNeXt:
    """Build a model with new weights.

    Args:
        name: One of `list_models()`.
        num_classes: K, at least 1.
        in_channels: Channels of the images, at least 1.
        **options: Any other field of `SegNeXtConfig`, over the preset.

    Returns:
        A module in training mode: images (B, in_channels, H, W) to logits (B, K, H/8, W/8).

    Raises:
        UsageError: Unknown name or option, or an option out of range.
    """
    return SegNeXt(configure(name, num_classes=num_classes, in_channels=in_channels, **options))


def create_encoder(name: str, *, in_channels: int = 3, **options: Any) -> MSCAN:
    """Build an encoder alone with new weights.

    Args:
        name: `mscan_tiny`, `mscan_small`, `mscan_base` or `mscan_large`.
        in_channels: Channels of the images, at least 1.
        **options: `drop_path_rate`, `branches`, `stem_stride`, `activation_checkpointing`,
            `attention`, `channel_mixing`, `gate`.

    Raises:
        UsageError: Unknown name or option, or an option out of range.
    """
    valid = [model.replace("segnext", "mscan") for model in MODELS]
    if name not in valid:
        raise UsageError(describe_unknown("encoder", name, valid))
    for option in options:
        if option not in _ENCODER_OPTIONS:
            raise UsageError(describe_unknown("encoder option", option, _ENCODER_OPTIONS))
    model = name.replace("mscan", "segnext")
    return build_encoder(configure(model, num_classes=1, in_channels=in_channels, **options))


def configure(
    name: str, *, num_classes: int, in_channels: int = 3, **options: Any
) -> SegNeXtConfig:
    """Return the full configuration of a named model.

    Raises:
        UsageError: Unknown name or option.
    """
    if name not in MODELS:
        raise UsageError(describe_unknown("model", name, MODELS))
    merged = {**MODELS[name], **options}
    return SegNeXtConfig.from_dict(
        {"num_classes": num_classes, "in_channels": in_channels, **merged}
    )
