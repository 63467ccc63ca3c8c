"""Weights: our files, those of other programs, and published ones by name."""

from segnext.weights.adapt import build_from_state_dict, start_from
from segnext.weights.description import default_normalization, describe_model
from segnext.weights.ensemble import load_models, member_files, spec_of
from segnext.weights.files import load_tensors, read_spec, save_model
from segnext.weights.foreign import ConvertedStateDict, convert_state_dict
from segnext.weights.pickles import read_checkpoint
from segnext.weights.published import (
    WEIGHTS,
    PublishedWeights,
    find_pretrained,
    find_weights,
    list_weights,
    load_model,
)
from segnext.weights.start import initialize, start_encoder, start_from_model

__all__ = [
    "WEIGHTS",
    "ConvertedStateDict",
    "PublishedWeights",
    "build_from_state_dict",
    "convert_state_dict",
    "default_normalization",
    "describe_model",
    "find_pretrained",
    "find_weights",
    "initialize",
    "list_weights",
    "load_model",
    "load_models",
    "load_tensors",
    "member_files",
    "read_checkpoint",
    "read_spec",
    "save_model",
    "spec_of",
    "start_encoder",
    "start_from",
    "start_from_model",
]
