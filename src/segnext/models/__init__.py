"""Tensor to logits: the MSCAN encoder, the Hamburger decoder, and their registry."""

from segnext.models.classifier import (
    CLASSIFIERS,
    Classifier,
    ClassifierConfig,
    configure_classifier,
    create_classifier,
)
from segnext.models.mscan import MIN_SIZE, MSCAN
from segnext.models.registry import (
    MODELS,
    configure,
    create_encoder,
    create_model,
    list_models,
)
from segnext.models.segmentation_model import ModelConfig, SegmentationModel
from segnext.models.segnext import SegNeXt, SegNeXtConfig

__all__ = [
    "CLASSIFIERS",
    "MIN_SIZE",
    "MODELS",
    "MSCAN",
    "Classifier",
    "ClassifierConfig",
    "ModelConfig",
    "SegNeXt",
    "SegNeXtConfig",
    "SegmentationModel",
    "configure",
    "configure_classifier",
    "create_classifier",
    "create_encoder",
    "create_model",
    "list_models",
]
