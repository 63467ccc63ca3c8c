"""Models by name: the four sizes of the paper (table 2), the baselines, and any combination."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from segnext.errors import UsageError, describe_unknown
from segnext.models.baselines import BASELINES, find_parts
from segnext.models.composed import (
    DECODERS,
    ENCODERS,
    ComposedConfig,
    ComposedModel,
    list_options,
)
from segnext.models.mscan import MSCAN, MSCAN_SIZES
from segnext.models.mscan_config import build_encoder
from segnext.models.segmentation_model import ModelConfig, SegmentationModel
from segnext.models.segnext import SegNeXt, SegNeXtConfig

# Rates of drop path are those of the ADE20K recipes.
MODELS: dict[str, dict[str, Any]] = {
    "segnext_tiny": {**MSCAN_SIZES["mscan_tiny"]},
    "segnext_small": {**MSCAN_SIZES["mscan_small"]},
    "segnext_base": {**MSCAN_SIZES["mscan_base"], "decoder_width": 512, "rank": 64},
    "segnext_large": {
        **MSCAN_SIZES["mscan_large"],
        "decoder_width": 1024,
        "rank": 64,
        "drop_path_rate": 0.3,
    },
}

# Options come from files, too; what a wrong type raises depends on the option, and torch has
# RuntimeErrors for sizes that no memory holds.
BUILD_ERRORS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
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
    """Return the names of the published systems: SegNeXt's sizes, then the baselines.

    `create_model` also accepts any encoder and decoder, such as `resnet50_ham`.
    """
    return [*MODELS, *BASELINES]


def list_baselines() -> list[str]:
    """Return the names of the published systems that SegNeXt is compared with."""
    return list(BASELINES)


def create_model(
    name: str, *, num_classes: int, in_channels: int = 3, **options: Any
) -> SegmentationModel:
    """Build a model with new weights.

    Args:
        name: One of `list_models()`, or `<encoder>_<decoder>` with keys of `ENCODERS` and
            `DECODERS`.
        num_classes: K, at least 1.
        in_channels: Channels of the images, at least 1.
        **options: Over the preset. For SegNeXt any other field of `SegNeXtConfig`; for others any
            option of the encoder or of the decoder, or a field of `ComposedConfig`. `decoder_`
            before a name that both have means the decoder's, such as `decoder_attention`.

    Returns:
        A module in training mode: images (B, in_channels, H, W) to logits (B, K, H/s, W/s) with
        s its `output_stride`, 8 for SegNeXt.

    Raises:
        UsageError: Unknown name or option, an option out of range, or a package is missing.
    """
    config = configure(name, num_classes=num_classes, in_channels=in_channels, **options)
    try:
        return build_from_config(config)
    except UsageError:
        raise
    except BUILD_ERRORS as error:
        msg = f"{name} cannot be built with the options {options}: {error}"
        raise UsageError(msg) from error


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
    if name not in MSCAN_SIZES:
        raise UsageError(describe_unknown("encoder", name, MSCAN_SIZES))
    for option in options:
        if option not in _ENCODER_OPTIONS:
            raise UsageError(describe_unknown("encoder option", option, _ENCODER_OPTIONS))
    model = name.replace("mscan", "segnext")
    config = SegNeXtConfig(
        **{"num_classes": 1, "in_channels": in_channels, **MODELS[model], **options}
    )
    return build_encoder(config)


def configure(
    name: str, *, num_classes: int, in_channels: int = 3, **options: Any
) -> SegNeXtConfig | ComposedConfig:
    """Return the full configuration of a named model.

    Raises:
        UsageError: Unknown name or option.
    """
    common: dict[str, Any] = {"num_classes": num_classes, "in_channels": in_channels}
    if name in MODELS:
        return SegNeXtConfig.from_dict({**common, **MODELS[name], **options})
    parts = find_parts(name)
    if parts is None:
        raise UsageError(describe_unknown("model", name, list_models()))
    return ComposedConfig(**common, **_merge_options(parts, options))


def config_from_dict(data: Mapping[str, Any]) -> SegNeXtConfig | ComposedConfig:
    """Rebuild the configuration of any model from its `to_dict`.

    Raises:
        UsageError: An option does not exist; names the nearest ones.
    """
    return ComposedConfig.from_dict(data) if "encoder" in data else SegNeXtConfig.from_dict(data)


def build_from_config(config: ModelConfig) -> SegmentationModel:
    """Build the model of a configuration, with new weights.

    Raises:
        UsageError: An option is out of range, or a package is missing.
        TypeError: The configuration is of no model of ours.
    """
    if isinstance(config, SegNeXtConfig):
        return SegNeXt(config)
    if isinstance(config, ComposedConfig):
        return ComposedModel(config)
    msg = f"no model is built from {type(config).__name__}"
    raise TypeError(msg)


def _merge_options(parts: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Put options over a preset, each where it belongs: the encoder first, else the decoder."""
    merged = {
        **parts,
        "encoder_options": {**parts.get("encoder_options", {})},
        "decoder_options": {**parts.get("decoder_options", {})},
    }
    of_encoder = list_options(ENCODERS[parts["encoder"]])
    of_decoder = list_options(DECODERS[parts["decoder"]])
    named = [f.name for f in fields(ComposedConfig) if f.name not in ("encoder", "decoder")]
    for name, value in options.items():
        if name in ("encoder_options", "decoder_options"):
            merged[name] |= value
        elif name in named:
            merged[name] = value
        elif name in of_encoder:
            merged["encoder_options"][name] = value
        elif name.removeprefix("decoder_") in of_decoder:
            merged["decoder_options"][name.removeprefix("decoder_")] = value
        else:
            valid = {*named, *of_encoder, *of_decoder} - {"num_classes", "in_channels"}
            raise UsageError(describe_unknown("model option", name, valid))
    return merged
