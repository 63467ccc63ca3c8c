"""A picture to logits by a protocol, and logits to masks in bands."""

from segnext.inference.backends import BACKENDS, Runner, is_exported, open_runner
from segnext.inference.device import choose_device, place_model
from segnext.inference.fold import fold
from segnext.inference.logits import PictureLogits, compute_logits, compute_picture_logits
from segnext.inference.masks import compute_confidence, compute_mask, stream_mask
from segnext.inference.opening import Source, open_networks
from segnext.inference.protocols import named_protocol
from segnext.inference.scoring import score_images, score_protocols
from segnext.inference.views import prepare_image

__all__ = [
    "BACKENDS",
    "PictureLogits",
    "Runner",
    "Source",
    "choose_device",
    "compute_confidence",
    "compute_logits",
    "compute_mask",
    "compute_picture_logits",
    "fold",
    "is_exported",
    "named_protocol",
    "open_networks",
    "open_runner",
    "place_model",
    "prepare_image",
    "score_images",
    "score_protocols",
    "stream_mask",
]
