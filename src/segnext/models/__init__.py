"""Tensor to logits: the MSCAN encoder, the Hamburger decoder, and their registry."""

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
    "MIN_SIZE",
    "MODELS",
    "MSCAN",
    "ModelConfig",
    "SegNeXt",
    "SegNeXtConfig",
    "SegmentationModel",
    "configure",
    "create_encoder",
    "create_model",
    "list_models",
]
