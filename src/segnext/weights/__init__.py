"""Weights: our files, and those of other programs."""

from segnext.weights.adapt import build_from_state_dict, start_from
from segnext.weights.description import default_normalization, describe_model
from segnext.weights.files import load_model, load_tensors, read_spec, save_model
from segnext.weights.foreign import ConvertedStateDict, convert_state_dict
from segnext.weights.pickles import read_checkpoint

__all__ = [
    "ConvertedStateDict",
    "build_from_state_dict",
    "convert_state_dict",
    "default_normalization",
    "describe_model",
    "load_model",
    "load_tensors",
    "read_checkpoint",
    "read_spec",
    "save_model",
    "start_from",
]
