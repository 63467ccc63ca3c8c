"""One way to run a network, whatever runs it.

Shapes: B batch, C channels, H and W height and width of the images, K classes, h and w those of
logits.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from segnext.errors import UsageError
from segnext.inference.cells import label_image
from segnext.inference.description import GraphDescription, Output
from segnext.models import MIN_SIZE
from segnext.spec import ModelSpec


class Runner(ABC):
    """A network that is ready to run.

    Args:
        name: Of the backend, and where it matters of what it runs on, for reports.
        channels: C.
        device: Where images are wanted and results lie.

    Attributes:
        description: What an exported file said about itself; `None` for a model in memory.
        reuses_memory: The next run writes its result where the last one's lies.
        multiple: Of which the sides of images must be.
        spec: What images and logits mean; `None` for a model that does not know.
    """

    def __init__(self, name: str, channels: int, device: torch.device) -> None:
        self.name = name
        self.channels = channels
        self.device = device
        self.description: GraphDescription | None = None
        self.spec: ModelSpec | None = None
        self.multiple = 1
        self.reuses_memory = False

    def describe_as(self, description: GraphDescription) -> None:
        """Take over what an exported file said about itself."""
        self.description = description
        self.spec = description.spec
        self.multiple = description.multiple

    @property
    def output(self) -> Output:
        """What the network gives: labels only where they are computed inside an exported graph."""
        return "logits" if self.description is None else self.description.output

    @property
    def pixels(self) -> bool:
        """The network takes stored uint8 pixels and normalises them itself."""
        return self.description is not None and self.description.pixels

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of all images, for graphs that take no other."""
        return None if self.description is None else self.description.size

    @torch.inference_mode()
    def run(self, images: Tensor, output: Output = "logits") -> Tensor:
        """Run the network.

        Args:
            images: (B, C, H, W) float32, normalised; uint8 where `pixels` is true. H and W are
                at least 32, or those of `size`.
            output: What to return.

        Returns:
            Logits (B, K, h, w) float32, or labels (B, H, W): int64 as `argmax` gives them, of
            the logits interpolated to the images' size. One class has labels 0 and 1.

        Raises:
            UsageError: The images have another shape than the network takes, or logits are wanted
                of a graph that gives labels.
        """
        self._check(images, output)
        result = self._in_batches(images)
        if self.output == "labels":
            return result.long()
        logits = result.float()
        if output == "logits":
            return logits.clone() if self.reuses_memory else logits
        height, width = images.shape[-2:]
        if len(logits) == 1:
            return label_image(logits[0], height, width)[None]
        return torch.stack([label_image(one, height, width) for one in logits])

    @abstractmethod
    def compute(self, images: Tensor) -> Tensor:
        """Run the network on images that fit it; returns what the graph gives."""

    def _check(self, images: Tensor, output: Output) -> None:
        if images.ndim != 4 or images.shape[1] != self.channels:
            msg = (
                f"images are (batch, {self.channels}, height, width) for this network, got "
                f"{tuple(images.shape)}"
            )
            raise UsageError(msg)
        height, width = images.shape[-2:]
        if self.size is not None and (height, width) != self.size:
            msg = (
                f"this file takes images of {self.size[0]}x{self.size[1]} px (height x width), "
                f"got {height}x{width}; export with --dynamic for any size"
            )
            raise UsageError(msg)
        if min(height, width) < MIN_SIZE:
            msg = f"images of {height}x{width} px are too small: at least {MIN_SIZE}x{MIN_SIZE}"
            raise UsageError(msg)
        if height % self.multiple or width % self.multiple:
            msg = (
                f"{self.name} takes sides in multiples of {self.multiple} px here, got "
                f"{height}x{width}"
            )
            raise UsageError(msg)
        if output == "logits" and self.output == "labels":
            msg = (
                "this file gives labels, and logits are needed here (for windows, several scales "
                "or confidence); export with --output logits"
            )
            raise UsageError(msg)

    def _in_batches(self, images: Tensor) -> Tensor:
        """Cut a batch into the pieces that a graph of a fixed batch takes; the last is filled."""
        fixed = None if self.description is None else self.description.batch
        if self.pixels:
            images = images.permute(0, 2, 3, 1)
        if fixed is None or len(images) == fixed:
            return self.compute(images)
        missing = -len(images) % fixed
        filled = torch.cat([images, images[-1:].expand(missing, *images.shape[1:])])
        # Cloned, as the next piece may be written over this one.
        pieces = [self.compute(part).clone() for part in torch.split(filled, fixed)]
        return torch.cat(pieces)[: len(images)]


class ModuleRunner(Runner):
    """A runner over a torch module, or over any callable that maps images to logits.

    Args:
        name: Of the backend.
        module: (B, C, H, W) to (B, K, h, w), on the device already.
        channels: C.
        device: Where the module lies.
    """

    def __init__(
        self, name: str, module: Callable[[Tensor], Tensor], channels: int, device: torch.device
    ) -> None:
        super().__init__(name, channels, device)
        self.module = module

    def compute(self, images: Tensor) -> Tensor:
        """Run the module."""
        return self.module(images)


def resize_logits(logits: Tensor, height: int, width: int) -> Tensor:
    """Interpolate logits to full resolution.

    Args:
        logits: (B, K, h, w).
        height: H in pixels.
        width: W in pixels.

    Returns:
        (B, K, H, W), the same numbers as `interpolate`. On CPUs it lies channels_last, where the
        kernel works on all classes of a pixel at once, in memory that numpy asked huge pages for:
        touching the pages of so large a tensor costs more than its arithmetic.
    """
    if logits.device.type != "cpu" or logits.dtype != torch.float32 or logits.requires_grad:
        return functional.interpolate(
            logits, size=(height, width), mode="bilinear", align_corners=False
        )
    batch, classes = logits.shape[:2]
    held = torch.from_numpy(np.empty((batch, height, width, classes), dtype=np.float32))
    return torch.ops.aten.upsample_bilinear2d.out(  # type: ignore[no-any-return]
        logits.contiguous(memory_format=torch.channels_last),
        [height, width],
        False,
        out=held.permute(0, 3, 1, 2),
    )
