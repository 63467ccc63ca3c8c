"""One picture through the network: resize rule, windows, scales, mirror.

Nothing here is at the picture's full resolution but the picture itself: the result keeps the
network's stride-8 logits together with where they lie, and `segnext.inference.masks` turns them
into masks in bands.

Shapes: C channels, H and W height and width of the picture, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from segnext.data.images import Image
from segnext.inference.backends.runner import ModuleRunner, Runner
from segnext.inference.tensors import resize_inputs
from segnext.inference.views import (
    InputRows,
    MovingView,
    RowSource,
    TensorRows,
    View,
    open_rows,
    view_sizes,
)
from segnext.models import SegmentationModel
from segnext.protocol import Overlap, Protocol, Steps
from segnext.spec import Normalization

Network = SegmentationModel | Runner


@dataclass(frozen=True)
class PictureLogits:
    """What the network said about one picture, or about the rows of it that are looked at.

    Attributes:
        views: One per scale, mirror image and model; probabilities are averaged over several.
        height: Rows of the picture as given.
        width: Columns of the picture as given.
        overlap: What is averaged where tiles of a view overlap.
        steps: Interpolations from logits to the pixels of the picture.
    """

    views: tuple[View, ...]
    height: int
    width: int
    overlap: Overlap = "logits"
    steps: Steps = 1


@torch.inference_mode()
def compute_picture_logits(
    networks: Network | Sequence[Network],
    image: Image | Tensor,
    normalization: Normalization,
    protocol: Protocol,
) -> PictureLogits:
    """Run the network, or each network of an ensemble, on one picture by any protocol.

    Args:
        networks: Models in evaluation mode on the device to use, or runners.
        image: (H, W, C) 8 or 16 bit, any H and W from 1 up; or a tensor on the networks' device,
            uint8 or floating in 0-1, which stays there.
        normalization: Of as many channels.
        protocol: Sizes, windows, scales, mirror and the rest.
    """
    views = open_views(networks, image, normalization, protocol)
    return _see_all(views, image.shape, protocol)


@torch.inference_mode()
def compute_logits(
    networks: Network | Sequence[Network], images: Tensor, protocol: Protocol
) -> PictureLogits:
    """Run the network, or each network of an ensemble, on one normalised picture by a protocol.

    Args:
        networks: Models in evaluation mode, or runners.
        images: (1, C, H, W), normalised; any H and W from 1 up (small ones are padded with 0).
        protocol: Sizes, windows, scales and mirror; one that resizes stored pixels is for
            `compute_picture_logits`.
    """
    assert protocol.resample == "inputs"
    size = images.shape[-2], images.shape[-1]
    views: list[MovingView] = []
    for runner, scale in _runs(networks, protocol):
        resized = resize_inputs(images, view_sizes(runner, size, protocol, scale)[-1])
        views += _both_ways(runner, TensorRows(resized), protocol)
    return _see_all(views, size, protocol)


def open_views(
    networks: Network | Sequence[Network],
    image: RowSource | Tensor,
    normalization: Normalization,
    protocol: Protocol,
) -> list[MovingView]:
    """Return the views that a protocol takes of a picture, with nothing computed yet.

    Args:
        networks: As in `compute_picture_logits`.
        image: (H, W, C): an array, or anything that gives arrays for slices of its rows; or a
            tensor as in `compute_picture_logits`.
        normalization: Of as many channels.
        protocol: Sizes, windows, scales, mirror and the rest.
    """
    size = image.shape[0], image.shape[1]
    views: list[MovingView] = []
    for runner, scale in _runs(networks, protocol):
        sizes = view_sizes(runner, size, protocol, scale)
        rows = open_rows(image, normalization, sizes, protocol, runner)
        views += _both_ways(runner, rows, protocol)
    return views


def as_runners(networks: Network | Sequence[Network]) -> list[Runner]:
    """Return runners for models in evaluation mode; runners stay what they are."""
    several = [networks] if isinstance(networks, Network) else networks
    return [_as_runner(network) for network in several]


def _as_runner(network: Network) -> Runner:
    if isinstance(network, Runner):
        return network
    assert not network.training
    device = next(network.parameters()).device
    return ModuleRunner("eager", network, network.config.in_channels, device)


def _runs(networks: Network | Sequence[Network], protocol: Protocol) -> list[tuple[Runner, float]]:
    return [(runner, scale) for scale in protocol.scales for runner in as_runners(networks)]


def _both_ways(runner: Runner, rows: InputRows, protocol: Protocol) -> list[MovingView]:
    ways = (False, True) if protocol.flip else (False,)
    return [MovingView(runner, rows, protocol, mirrored=mirrored) for mirrored in ways]


def _see_all(views: Sequence[MovingView], size: Sequence[int], protocol: Protocol) -> PictureLogits:
    for view in views:
        view.advance(view.height)
    seen = tuple(view.seen() for view in views)
    return PictureLogits(seen, size[0], size[1], protocol.overlap, protocol.steps)
