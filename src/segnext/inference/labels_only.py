"""Masks from exported graphs that give labels instead of logits."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch

from segnext.classes import Mask
from segnext.data.images import Image
from segnext.errors import UsageError
from segnext.inference.backends.runner import Runner
from segnext.inference.logits import open_views
from segnext.protocol import Protocol
from segnext.spec import Normalization
from segnext.weights import spec_of


@torch.inference_mode()
def compute_labels(
    networks: Sequence[Runner], image: Image, normalization: Normalization, protocol: Protocol
) -> Mask:
    """Predict a picture with a graph whose labels are computed inside.

    The labels are those of the network's input; where the protocol resized the picture, they are
    brought back to it by the nearest neighbour.

    Args:
        networks: One runner.
        image: (H, W, C) uint8 or uint16.
        normalization: Of as many channels.
        protocol: Without windows, one scale, no mirror.

    Returns:
        (H, W) uint8 or for more than 255 labels uint16.

    Raises:
        UsageError: The protocol has several views or windows, which are put together from logits.
    """
    if len(networks) > 1 or len(protocol.scales) > 1 or protocol.flip or protocol.window:
        msg = (
            "windows, several scales, mirrors and ensembles are put together from logits, and this "
            "file gives labels; export with --output logits"
        )
        raise UsageError(msg)
    (view,) = open_views(networks, image, normalization, protocol)
    labels = view.run_whole("labels")[: view.height, : view.width].cpu().numpy()
    height, width = image.shape[:2]
    if labels.shape != (height, width):
        # OpenCV knows no int64.
        labels = cv2.resize(
            labels.astype(np.int32), (width, height), interpolation=cv2.INTER_NEAREST
        )
    few = spec_of(networks[0]).classes.num_labels <= 255
    return labels.astype(np.uint8) if few else labels.astype(np.uint16)
