"""The spec of a model: written where nobody did, read back from a file, held against the model."""

import math

from segnext import __version__
from segnext.classes import Classes
from segnext.errors import UsageError, WeightsError
from segnext.models import (
    BASELINES,
    MODELS,
    ComposedConfig,
    ModelConfig,
    SegmentationModel,
    SegNeXtConfig,
)
from segnext.parsing import parse_json
from segnext.spec import IMAGENET_NORMALIZATION, ModelSpec, Normalization

UNNAMED = "custom"


def describe_model(model: SegmentationModel, classes: Classes | None = None) -> ModelSpec:
    """Write the spec of a model that nobody described: its size by name, numbered classes.

    A SegNeXt of no registered size is called `custom`; a composed model as `create_model` calls
    its encoder and decoder. `load_model` reads `config`, not the name.

    Args:
        model: The model.
        classes: What its logits mean.
    """
    config = model.config
    return ModelSpec(
        model=_find_name(config),
        config=config.to_dict(),
        classes=classes or Classes.numbered(config.num_classes),
        normalization=default_normalization(config.in_channels),
        version=__version__,
    )


def _find_name(config: ModelConfig) -> str:
    if isinstance(config, ComposedConfig):
        known = {(parts["encoder"], parts["decoder"]): name for name, parts in BASELINES.items()}
        parts = config.encoder, config.decoder
        return known.get(parts, "_".join(parts))
    sizes = {(preset["embed_dims"], preset["depths"]): name for name, preset in MODELS.items()}
    if not isinstance(config, SegNeXtConfig):
        return UNNAMED
    return sizes.get((config.embed_dims, config.depths), UNNAMED)


def default_normalization(channels: int) -> Normalization:
    """Return ImageNet's statistics; for other than 3 channels, their mean in every channel."""
    if channels == IMAGENET_NORMALIZATION.channels:
        return IMAGENET_NORMALIZATION
    mean = math.fsum(IMAGENET_NORMALIZATION.mean) / IMAGENET_NORMALIZATION.channels
    std = math.fsum(IMAGENET_NORMALIZATION.std) / IMAGENET_NORMALIZATION.channels
    return Normalization((round(mean, 4),) * channels, (round(std, 4),) * channels)


def parse_spec(text: str) -> ModelSpec:
    """Read a spec from the JSON in a weights file.

    Raises:
        WeightsError: It is broken, or written by a newer major version; without the file's name.
    """
    # What a damaged description raises depends on where it broke.
    try:
        data = parse_json(text)
        written_by = str(data["version"])
        newer = int(written_by.split(".")[0]) > int(__version__.split(".")[0])
        spec = None if newer else ModelSpec.from_dict(data)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        msg = f"its description is broken ({type(error).__name__}: {error})"
        raise WeightsError(msg) from error
    if spec is None:
        msg = (
            f"written by segnext {written_by}, this is {__version__}; update with "
            f"pip install --upgrade segnext"
        )
        raise WeightsError(msg)
    return spec


def check_spec(spec: ModelSpec, config: ModelConfig) -> None:
    """Hold what a spec says against the model it is for.

    Raises:
        UsageError: The spec is for other classes or image channels.
    """
    pairs = (
        ("classes", spec.classes.num_classes, config.num_classes),
        ("image channels", spec.normalization.channels, config.in_channels),
    )
    for what, described, built in pairs:
        if described != built:
            msg = f"the spec describes {described} {what}, the model has {built}"
            raise UsageError(msg)
