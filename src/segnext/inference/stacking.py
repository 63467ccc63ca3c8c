"""Several pictures of one size in one run of the network, only where that changes no bit.

Libraries choose their kernels by shape, and some sum in another order for another batch. So the
first batch of each shape is computed both ways: stacked pictures are worth it for a shape if every
logit came out the same, and sooner.

Shapes: C channels, H and W height and width of the network's input.
"""

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from segnext.data.images import Image
from segnext.inference.backends.runner import Runner
from segnext.inference.logits import PictureLogits, compute_picture_logits, open_views
from segnext.inference.views import MovingView
from segnext.protocol import Protocol
from segnext.spec import Normalization

# Input pixels of a stack: activations grow with them, and large pictures fill a machine alone.
MOST_PIXELS = 2_000_000
# Shapes come from strangers; what was found out about them must stay small.
_MOST_SHAPES = 512


class Stacker:
    """Runs one network on pictures, stacked where that was found to be exact and faster.

    Args:
        networks: An ensemble computes its pictures one by one.
        normalization: Of the networks.
        protocol: One that takes several views of a picture, or windows, goes one by one.
    """

    def __init__(
        self, networks: Sequence[Runner], normalization: Normalization, protocol: Protocol
    ) -> None:
        self._networks = networks
        self._normalization = normalization
        self._protocol = protocol
        self._worth: dict[tuple[int, ...], bool] = {}

    @torch.inference_mode()
    def compute(self, images: Sequence[Image | Tensor]) -> list[PictureLogits]:
        """Return the logits of pictures (H, W, C), all of one shape, the same in any company.

        Tensors are as in `segnext.inference.tensors`.
        """
        done: list[PictureLogits] = []
        while len(done) < len(images):
            rest = images[len(done) :]
            # Powers of two: fewer shapes for a backend to prepare, and to try here.
            count = 1 << (len(rest).bit_length() - 1)
            done += self._compute_some(rest[:count])
        return done

    def _compute_some(self, images: Sequence[Image | Tensor]) -> list[PictureLogits]:
        if len(images) == 1 or len(self._networks) > 1:
            return [self._compute_one(image) for image in images]
        # Opened only to learn the shape: nothing is read of a picture before it is needed.
        opened = [self._open(image) for image in images]
        if any(len(views) > 1 or not views[0].is_whole for views in opened):
            return [self._compute_one(image) for image in images]
        inputs = [views[0].read_whole() for views in opened]
        shape = (len(inputs), *inputs[0].shape[1:])
        if any(one.shape != inputs[0].shape for one in inputs) or not self._may_try(shape):
            return [self._compute_one(image) for image in images]
        logits = self._run(inputs, shape)
        for views, one in zip(opened, logits, strict=True):
            views[0].keep_whole(one)
        return [
            PictureLogits(
                (views[0].seen(),),
                image.shape[0],
                image.shape[1],
                self._protocol.overlap,
                self._protocol.steps,
            )
            for image, views in zip(images, opened, strict=True)
        ]

    def _may_try(self, shape: tuple[int, ...]) -> bool:
        count, _, height, width = shape
        return self._worth.get(shape, count * height * width <= MOST_PIXELS)

    def _run(self, inputs: Sequence[Tensor], shape: tuple[int, ...]) -> list[Tensor]:
        (network,) = self._networks
        stacked = torch.cat(list(inputs))
        if self._worth.get(shape):
            return list(network.run(stacked))
        network.run(stacked)  # a shape that is new to a backend is slow once
        together, batched = _time(lambda: [network.run(stacked)])
        alone, single = _time(lambda: [network.run(one) for one in inputs])
        if len(self._worth) >= _MOST_SHAPES:
            self._worth.clear()
        self._worth[shape] = batched < single and torch.equal(together, alone)
        return list(alone)

    def _open(self, image: Image | Tensor) -> list[MovingView]:
        return open_views(self._networks, image, self._normalization, self._protocol)

    def _compute_one(self, image: Image | Tensor) -> PictureLogits:
        return compute_picture_logits(self._networks, image, self._normalization, self._protocol)


def _time(run: Callable[[], list[Tensor]]) -> tuple[Tensor, float]:
    begin = time.perf_counter()
    logits = torch.cat(run())
    # Devices compute later than they are told to; who reads a value waits for all before it.
    logits.flatten()[0].item()
    return logits, time.perf_counter() - begin
