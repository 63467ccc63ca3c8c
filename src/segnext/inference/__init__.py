"""A picture to logits by a protocol, and logits to masks in bands."""

from segnext.inference.logits import PictureLogits, compute_logits, prepare_image
from segnext.inference.masks import compute_confidence, compute_mask

__all__ = [
    "PictureLogits",
    "compute_confidence",
    "compute_logits",
    "compute_mask",
    "prepare_image",
]
