"""Labels that do not flicker: an average of class probabilities over frames.

    average = smoothing * average before + (1 - smoothing) * probabilities of this frame

It is taken where the network speaks, on its grid of logits, and handed on as logarithms.
Interpolating those gives the labels of interpolated logits, because softmax takes the same number
from all classes of a place. So a first frame, and every frame with `smoothing` 0, has the labels
that the picture alone has, to rounding; and memory is that of one more map of logits.

At a cut the average starts anew.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from segnext.data.images import Image
from segnext.errors import UsageError
from segnext.inference import PictureLogits
from segnext.inference.upsampling import label_scores
from segnext.inference.views import View

# Change from one frame to the next that is a cut. On CamVid it is passed by 99.7 % of pairs of
# pictures, and by 1 % of pictures against themselves moved by a fiftieth of their width. Who moves
# faster than that is better off without the past, too.
CUT_CHANGE = 0.23
_THUMBNAIL = (32, 18)
_NOISE = 0.02  # of values 0-1: less contrast tells nothing


class Smoother:
    """Averages what a network says about frames that follow each other.

    Args:
        smoothing: Share of the past, from 0 (none) to below 1.

    Attributes:
        cuts: Frames at which the average started anew, besides the first.

    Raises:
        UsageError: `smoothing` is out of range.
    """

    def __init__(self, smoothing: float) -> None:
        if not 0 <= smoothing < 1:
            msg = f"smoothing must be 0 or more and below 1, got {smoothing:g}"
            raise UsageError(msg)
        self.smoothing = smoothing
        self.cuts = 0
        self._thumbnail: npt.NDArray[np.float32] | None = None
        self._average: list[Tensor] = []

    @torch.inference_mode()
    def smooth(self, image: Image, picture: PictureLogits) -> PictureLogits:
        """Return what the average says of a frame.

        Args:
            image: The frame, (H, W, C) uint8 or uint16, of one size in all calls.
            picture: What the network said about it.
        """
        if self._is_cut(image):
            self.cuts += 1
            self._average = []
        now = [_log_probabilities(tile.logits) for view in picture.views for tile in view.tiles]
        if self._average and self.smoothing:
            past, present = math.log(self.smoothing), math.log1p(-self.smoothing)
            now = [
                torch.logaddexp(before + past, new + present)
                for before, new in zip(self._average, now, strict=True)
            ]
        self._average = now
        averages = iter(now)
        views = tuple(_with_averages(view, averages) for view in picture.views)
        return replace(picture, views=views)

    def _is_cut(self, image: Image) -> bool:
        before, self._thumbnail = self._thumbnail, _shrink(image)
        return before is not None and change(before, self._thumbnail) > CUT_CHANGE


def _log_probabilities(logits: Tensor) -> Tensor:
    """Return log-probabilities (L, h, w); in logarithms, so that none becomes 0."""
    return label_scores(logits).log_softmax(dim=0)


def _with_averages(view: View, averages: Iterator[Tensor]) -> View:
    """Put averages (L, h, w) in the places of a view's logits; one class has one logit."""
    return replace(
        view,
        tiles=tuple(
            replace(tile, logits=one if len(tile.logits) > 1 else one[1:] - one[:1])
            for tile, one in zip(view.tiles, averages, strict=False)  # the rest is of other views
        ),
    )


def _shrink(image: Image) -> npt.NDArray[np.float32]:
    """Return a thumbnail in 0-1, in which noise and small movements are averaged away."""
    # Of many bands three are enough, and what OpenCV shrinks.
    bands = np.ascontiguousarray(image[..., :3])
    small: npt.NDArray[np.generic] = cv2.resize(bands, _THUMBNAIL, interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)


def change(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> float:
    """Return how much two thumbnails differ: mean absolute difference by standard deviation.

    By its own contrast, because a dark scene changes little in numbers when it changes altogether.
    """
    contrast = (float(first.std()) + float(second.std())) / 2
    return float(np.abs(first - second).mean()) / (contrast + _NOISE)
