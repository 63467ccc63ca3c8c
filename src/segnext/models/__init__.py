"""Tensor to logits: SegNeXt's encoder and decoder, the baselines', and their registry."""

from segnext.models.baselines import BASELINES
from segnext.models.classifier import (
    CLASSIFIERS,
    Classifier,
    ClassifierConfig,
    configure_classifier,
    create_classifier,
)
from segnext.models.composed import DECODERS, ENCODERS, ComposedConfig, ComposedModel
from segnext.models.mscan import MIN_SIZE, MSCAN
from segnext.models.registry import (
    MODELS,
    build_from_config,
    config_from_dict,
    configure,
    create_encoder,
    create_model,
    list_baselines,
    list_models,
)
from segnext.models.segmentation_model import ModelConfig, SegmentationModel
from segnext.models.segnext import SegNeXt, SegNeXtConfig

__all__ = [
    "BASELINES",
    "CLASSIFIERS",
    "DECODERS",
    "ENCODERS",
    "MIN_SIZE",
    "MODELS",
    "MSCAN",
    "Classifier",
    "ClassifierConfig",
    "ComposedConfig",
    "ComposedModel",
    "ModelConfig",
    "SegNeXt",
    "SegNeXtConfig",
    "SegmentationModel",
    "build_from_config",
    "config_from_dict",
    "configure",
    "configure_classifier",
    "create_classifier",
    "create_encoder",
    "create_model",
    "list_baselines",
    "list_models",
]
