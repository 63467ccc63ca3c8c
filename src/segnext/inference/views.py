"""What a network sees of a picture: windows over a resized picture, row of windows by row.

A view moves down the picture: it computes windows when a band of the mask needs them, and forgets
those that lie above it, so that a picture of any height takes the memory of a few rows of windows.

Shapes: C channels, H and W height and width of the picture, K classes, h and w those of logits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import Protocol as Interface

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from segnext.data.images import Image
from segnext.data.transforms import nodata_pixels, normalize
from segnext.inference.backends.runner import Runner
from segnext.inference.description import Output
from segnext.inference.sizes import Size, resized_sizes, round_up
from segnext.inference.tensors import prepare_tensor, resize_inputs
from segnext.inference.upsampling import interpolate, neighbours
from segnext.models import MIN_SIZE
from segnext.protocol import GREATEST_STRIDE, Protocol
from segnext.spec import Normalization

WINDOWS_PER_BATCH = 4


@dataclass(frozen=True)
class Tile:
    """Logits of one window.

    Attributes:
        logits: (K, h, w) float32.
        top: First row of the window in the resized picture, in pixels.
        left: First column of the window in the resized picture, in pixels.
        height: Rows of the window, padding included, in pixels.
        width: Columns of the window, padding included, in pixels.
    """

    logits: Tensor
    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class View:
    """The picture seen once: at one scale, mirrored or not.

    Attributes:
        tiles: Windows that cover the resized picture, or the rows of it that are looked at.
        height: Rows of the resized picture, without padding.
        width: Columns of the resized picture, without padding.
        mirrored: The picture was flipped left to right before the network.
    """

    tiles: tuple[Tile, ...]
    height: int
    width: int
    mirrored: bool = False


class RowSource(Interface):
    """A picture that gives rows: an array, a memory map, or a reader of a large file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W, C)."""

    def __getitem__(self, rows: slice, /) -> Image:
        """Return rows (n, W, C), uint8 or uint16."""


class InputRows(Interface):
    """Rows of what a network is fed."""

    height: int
    width: int

    def read(self, first: int, last: int) -> Tensor:
        """Return rows first..last-1, (1, C, n, width), on the network's device."""


class TensorRows:
    """Rows of an input that lies in memory, (1, C, H, W)."""

    def __init__(self, images: Tensor) -> None:
        self.images = images
        self.height, self.width = images.shape[-2], images.shape[-1]

    def read(self, first: int, last: int) -> Tensor:
        """Return a part of it."""
        return self.images[..., first:last, :]


class PictureRows:
    """Rows of a picture, resized and normalised when they are asked for.

    Args:
        image: The picture.
        normalization: `None` hands stored pixels on.
        size: Height and width of the input, interpolated from normalised pixels.
        device: Of the network.
    """

    def __init__(
        self,
        image: RowSource,
        normalization: Normalization | None,
        size: Size,
        device: torch.device,
        missing: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        self.image = image
        self.normalization = normalization
        self.height, self.width = size
        self.device = device
        self.missing = missing

    def read(self, first: int, last: int) -> Tensor:
        """Resize and normalise the rows that these lie between."""
        height, width = self.image.shape[:2]
        size = self.height, self.width
        if size == (height, width):
            return self._load(first, last)
        if (first, last) == (0, self.height):
            return resize_inputs(self._load(0, height), size)
        rows = torch.arange(first, last, dtype=torch.float64) + 0.5
        low, high, part = neighbours(rows * (height / self.height) - 0.5, height)
        columns = torch.arange(self.width, dtype=torch.float64) + 0.5
        horizontal = neighbours(columns * (width / self.width) - 0.5, width)
        start = int(low[0])
        loaded = self._load(start, int(high[-1]) + 1)[0]
        return interpolate(loaded, (low - start, high - start, part), horizontal)[None]

    def _load(self, first: int, last: int) -> Tensor:
        pixels = self.image[first:last]
        if self.normalization is None:
            return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]
        missing = None if self.missing is None else self.missing[first:last]
        return prepare_image(pixels, self.normalization, self.device, missing)


def open_rows(
    image: RowSource | Tensor,
    normalization: Normalization,
    sizes: Sequence[Size],
    protocol: Protocol,
    runner: Runner,
) -> InputRows:
    """Return what a network is to be fed of a picture.

    Args:
        image: (H, W, C); a tensor as `prepare_tensor` takes it, on the network's device.
        normalization: Of as many channels.
        sizes: That the picture takes one after the other, from `view_sizes`.
        protocol: Says what is resized.
        runner: Of the network; one that normalises itself gets stored pixels, resized as such.
    """
    size = image.shape[0], image.shape[1]
    wanted = None if runner.pixels else normalization
    resamples_pixels = protocol.resample == "pixels" or runner.pixels
    if isinstance(image, Tensor):
        steps = sizes if resamples_pixels else ()
        return TensorRows(resize_inputs(prepare_tensor(image, wanted, steps), sizes[-1]))
    if not resamples_pixels:
        return PictureRows(image, normalization, sizes[-1], runner.device)
    if all(one == size for one in sizes):
        return PictureRows(image, wanted, size, runner.device)
    # OpenCV resizes whole pictures only.
    return _resample(image[: size[0]], wanted, sizes, runner.device)


def _resample(
    image: Image, normalization: Normalization | None, sizes: Sequence[Size], device: torch.device
) -> PictureRows:
    """Resize stored pixels once for each size; normalised is what has become of them."""
    missing = None
    if normalization is not None and normalization.nodata is not None:
        # Blended pixels no longer hold the value that tells that nothing was observed.
        observed = nodata_pixels(image, normalization.nodata).view(np.uint8)
        height, width = sizes[-1]
        nearest: Any = cv2.resize(observed, (width, height), interpolation=cv2.INTER_NEAREST)
        missing = nearest.view(np.bool_)
    for height, width in sizes:
        if (height, width) != image.shape[:2]:
            resized: Any = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
            # OpenCV drops the axis of a single channel.
            image = resized.reshape(height, width, -1)
    return PictureRows(image, normalization, sizes[-1], device, missing)


def prepare_image(
    image: Image,
    normalization: Normalization,
    device: torch.device,
    missing: npt.NDArray[np.bool_] | None = None,
) -> Tensor:
    """Normalise a picture (H, W, C) and move it to the network's device as (1, C, H, W).

    Args:
        image: 8 or 16 bit.
        normalization: Of as many channels.
        device: Where the network lies.
        missing: As in `segnext.data.transforms.normalize`, for images that were resampled.
    """
    pixels = torch.from_numpy(normalize(image, normalization, missing)).to(device)
    # A permuted view of (H, W, C) is what channels_last means: no copy is made.
    return pixels.permute(2, 0, 1)[None]


def view_sizes(runner: Runner, size: Size, protocol: Protocol, scale: float) -> list[Size]:
    """Return the sizes that a picture takes on its way to a network.

    Args:
        runner: Of the network; one for a single size, or for multiples, is fed such sizes if there
            are no windows.
        size: Height and width of the picture.
        protocol: Its sizes.
        scale: One of its scales.
    """
    if runner.size is not None and protocol.window is None:
        return [runner.size]
    sizes = resized_sizes(size, protocol, scale)
    if runner.multiple > 1 and protocol.window is None and protocol.pad_to_multiple is None:
        sizes.append(round_up(sizes[-1], runner.multiple))
    return sizes


class MovingView:
    """A view whose windows are computed as they are needed, from top to bottom.

    Args:
        runner: Of the network.
        rows: Of what it is fed.
        protocol: Windows, stride and padding.
        mirrored: Flip the rows left to right.

    Attributes:
        height: Rows of the resized picture, without padding.
        width: Columns of it.
    """

    def __init__(
        self, runner: Runner, rows: InputRows, protocol: Protocol, *, mirrored: bool
    ) -> None:
        self.runner = runner
        self.rows = rows
        self.mirrored = mirrored
        self.height, self.width = rows.height, rows.width
        full = max(MIN_SIZE, self.height), max(MIN_SIZE, self.width)
        if protocol.pad_to_multiple is not None:
            full = round_up(full, protocol.pad_to_multiple)
        if protocol.overlap == "blend" and protocol.window is not None:
            full = round_up(full, GREATEST_STRIDE)
        self._full_width = full[1]
        self._window = (
            min(full[0], protocol.window or full[0]),
            min(full[1], protocol.window or full[1]),
        )
        stride = protocol.effective_stride
        self._tops = window_starts(full[0], self._window[0], stride)
        self._lefts = window_starts(full[1], self._window[1], stride)
        self._done = 0
        self._tiles: list[Tile] = []

    @property
    def next_top(self) -> int | None:
        """First row of the windows that come next; `None` if all are there."""
        return self._tops[self._done] if self._done < len(self._tops) else None

    def advance(self, last: int) -> None:
        """Compute every window that begins at row `last` of the view or above."""
        while self.next_top is not None and self.next_top <= last:
            self._run_row(self.next_top)
            self._done += 1

    def forget(self, first: int) -> None:
        """Drop the windows that end above row `first` of the view."""
        self._tiles = [tile for tile in self._tiles if tile.top + tile.height > first]

    def seen(self) -> View:
        """Return the windows that are there now."""
        return View(tuple(self._tiles), self.height, self.width, self.mirrored)

    @property
    def is_whole(self) -> bool:
        """The view is one window, which the network sees at once."""
        return len(self._tops) == len(self._lefts) == 1

    def run_whole(self, output: Output) -> Tensor:
        """Run the network on the whole view; returns what it gives for that, without batch."""
        return self.runner.run(self.read_whole(), output)[0]

    def read_whole(self) -> Tensor:
        """Return what the network is fed of a view that is one window, (1, C, H, W)."""
        assert self.is_whole
        return self._read_row(0)

    def keep_whole(self, logits: Tensor) -> None:
        """Take what the network said elsewhere, in a batch with other pictures.

        Args:
            logits: (K, h, w), of the input that `read_whole` returned.
        """
        assert self.is_whole
        self._tiles.append(Tile(logits, 0, 0, *self._window))
        self._done = 1

    def _read_row(self, top: int) -> Tensor:
        """Return the rows of a row of windows, padded."""
        height = self._window[0]
        rows = self.rows.read(min(top, self.height), min(top + height, self.height))
        if self.mirrored:
            rows = rows.flip(-1)
        bottom, right = height - rows.shape[-2], self._full_width - self.width
        return functional.pad(rows, (0, right, 0, bottom), value=self._padding(rows))

    def _run_row(self, top: int) -> None:
        height, width = self._window
        rows = self._read_row(top)
        for first in range(0, len(self._lefts), WINDOWS_PER_BATCH):
            lefts = self._lefts[first : first + WINDOWS_PER_BATCH]
            windows = [rows[..., left : left + width] for left in lefts]
            logits = self.runner.run(torch.cat(windows))
            for left, one in zip(lefts, logits, strict=True):
                self._tiles.append(Tile(one, top, left, height, width))

    def _padding(self, rows: Tensor) -> float:
        """Return what becomes 0 in the network: 0, or among stored pixels the mean."""
        description = self.runner.description
        if rows.dtype != torch.uint8 or description is None:
            return 0
        mean = description.spec.normalization.mean
        return round(255 * sum(mean) / len(mean))


def window_starts(length: int, window: int, stride: int) -> list[int]:
    """Return first pixels of windows along one axis; the last window ends at the edge.

    Args:
        length: Pixels along the axis, at least `window`.
        window: Pixels of a window.
        stride: Pixels between windows.
    """
    if length <= window:
        return [0]
    return [*range(0, length - window, stride), length - window]
