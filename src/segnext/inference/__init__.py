"""A picture to logits by a protocol, and logits to masks in bands."""

from segnext.inference.device import choose_device, place_model
from segnext.inference.logits import (
    PictureLogits,
    compute_logits,
    compute_picture_logits,
    prepare_image,
)
from segnext.inference.masks import compute_confidence, compute_mask
from segnext.inference.protocols import named_protocol
from segnext.inference.scoring import score_images, score_protocols

__all__ = [
    "PictureLogits",
    "choose_device",
    "compute_confidence",
    "compute_logits",
    "compute_mask",
    "compute_picture_logits",
    "named_protocol",
    "place_model",
    "prepare_image",
    "score_images",
    "score_protocols",
]
