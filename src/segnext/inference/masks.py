"""Logits to a mask, without ever holding logits at full resolution.

A mask is made in bands of rows, from the logits of a whole picture or while a view moves down it.

Shapes: K classes, L labels, H and W height and width of the picture, n rows of a band.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from segnext.classes import Mask
from segnext.inference.cells import label_cells
from segnext.inference.logits import Network, PictureLogits, open_views
from segnext.inference.scores import (
    averages_probabilities,
    between_logits,
    is_plain,
    score_band,
    single_tile,
    values_per_row,
    view_positions,
)
from segnext.inference.upsampling import BAND_VALUES, label_scores
from segnext.inference.views import MovingView, RowSource
from segnext.protocol import GREATEST_STRIDE, Protocol
from segnext.spec import Normalization

Confidence = npt.NDArray[np.float32]


# Pixels of a band whose labels come cell by cell.
CELL_PIXELS = 2_000_000


@dataclass(frozen=True)
class MaskBand:
    """Some rows of a mask.

    Attributes:
        rows: Which rows of the picture.
        labels: (n, W), uint8 or for more than 255 labels uint16.
        confidence: Probability of each label, (n, W) float32 in 0-1, where it was asked for.
    """

    rows: slice
    labels: Mask
    confidence: Confidence | None = None


def compute_mask(picture: PictureLogits) -> Mask:
    """Return the label of every pixel, (H, W), uint8 or for more than 255 labels uint16."""
    return join_bands(label_bands(picture), picture.height, picture.width)[0]


def compute_confidence(picture: PictureLogits) -> Confidence:
    """Return the probability of the winning label of every pixel, (H, W) float32 in 0-1."""
    bands = label_bands(picture, confidence=True)
    confidence = join_bands(bands, picture.height, picture.width)[1]
    assert confidence is not None
    return confidence


@torch.inference_mode()
def compute_tensors(
    picture: PictureLogits, *, confidence: bool = False
) -> tuple[Tensor, Tensor | None]:
    """Return labels and probabilities where the logits lie, without a detour by the CPU's memory.

    Args:
        picture: With all its tiles.
        confidence: Also compute probabilities.

    Returns:
        Labels (H, W), uint8 or for more than 255 labels int32, and if asked for the probability
        of each, (H, W) float32 in 0-1.
    """
    dtype = torch.uint8 if _labels_fit_8_bits(picture) else torch.int32
    labels, probabilities = [], []
    for rows in _cut_into_bands(picture, confidence=confidence):
        found, probability = _find_labels(picture, rows, confidence=confidence)
        labels.append(found.to(dtype))
        if probability is not None:
            probabilities.append(probability)
    return torch.cat(labels), torch.cat(probabilities) if confidence else None


def stream_mask(
    networks: Network | Sequence[Network],
    image: RowSource,
    normalization: Normalization,
    protocol: Protocol,
    *,
    confidence: bool = False,
) -> Iterator[MaskBand]:
    """Predict a picture of any height from top to bottom, in memory that its height is not part of.

    The labels are those of `compute_picture_logits` and `compute_mask`. Memory is bounded where the
    protocol has windows and resizes nothing, or normalised inputs; a network that is fed the
    whole picture sees it whole.

    Args:
        networks: Models in evaluation mode on the device to use, or runners.
        image: (H, W, C): an array, or anything that gives arrays for slices of its rows.
        normalization: Of as many channels.
        protocol: Sizes, windows, scales, mirror and the rest.
        confidence: Also compute probabilities.

    Yields:
        Bands of rows that join to the whole mask.
    """
    views = open_views(networks, image, normalization, protocol)
    return _label_moving(views, image.shape[0], image.shape[1], protocol, confidence=confidence)


def label_bands(picture: PictureLogits, *, confidence: bool = False) -> Iterator[MaskBand]:
    """Yield the mask of a picture from top to bottom.

    Args:
        picture: With all its tiles.
        confidence: Also compute probabilities.
    """
    for rows in _cut_into_bands(picture, confidence=confidence):
        yield _label_band(picture, rows, confidence=confidence)


def join_bands(
    bands: Iterable[MaskBand], height: int, width: int
) -> tuple[Mask, Confidence | None]:
    """Put bands together to a mask (H, W) and, if they have it, its confidence (H, W)."""
    mask: Mask | None = None
    confidence: Confidence | None = None
    for band in bands:
        if mask is None:
            mask = np.empty((height, width), dtype=band.labels.dtype)
        mask[band.rows] = band.labels
        if band.confidence is not None:
            if confidence is None:
                confidence = np.empty((height, width), dtype=np.float32)
            confidence[band.rows] = band.confidence
    assert mask is not None
    return mask, confidence


def _label_moving(
    views: Sequence[MovingView], height: int, width: int, protocol: Protocol, *, confidence: bool
) -> Iterator[MaskBand]:
    first = 0
    while first < height:
        for view in views:
            view.advance(_lowest(view, first, height))
        picture = _seen(views, height, width, protocol)
        # As many rows as these windows are enough for, one in any case.
        ready = min(_finished(view, height) for view in views)
        step = min(max(1, ready - first), _band_rows(picture, confidence=confidence))
        rows = slice(first, min(first + step, height))
        yield _label_band(picture, rows, confidence=confidence)
        first = rows.stop
        for view in views:
            view.forget(int(first * view.height / height) - GREATEST_STRIDE - 1)


def _seen(
    views: Sequence[MovingView], height: int, width: int, protocol: Protocol
) -> PictureLogits:
    seen = tuple(view.seen() for view in views)
    return PictureLogits(seen, height, width, protocol.overlap, protocol.steps)


def _lowest(view: MovingView, row: int, height: int) -> int:
    """Return the last row of a view that a row of the picture can depend on."""
    return math.ceil((row + 1) * view.height / height) + GREATEST_STRIDE


def _finished(view: MovingView, height: int) -> int:
    """Return the first row of the picture that needs windows which are not there yet."""
    if view.next_top is None:
        return height
    return math.floor((view.next_top - GREATEST_STRIDE) * height / view.height) - 1


@torch.inference_mode()
def _label_band(picture: PictureLogits, rows: slice, *, confidence: bool) -> MaskBand:
    labels, probability = _find_labels(picture, rows, confidence=confidence)
    found = labels.cpu().numpy()
    return MaskBand(
        rows,
        found.astype(np.uint8) if _labels_fit_8_bits(picture) else found.astype(np.uint16),
        None if probability is None else probability.cpu().numpy(),
    )


def _find_labels(
    picture: PictureLogits, rows: slice, *, confidence: bool
) -> tuple[Tensor, Tensor | None]:
    """Return labels (n, W), and their probabilities if asked for."""
    if not confidence and is_plain(picture):
        ys, xs = view_positions(picture.views[0], picture, rows)
        tile = single_tile(picture.views[0], picture, ys)
        return label_cells(label_scores(tile.logits), *between_logits(tile, ys, xs)), None
    scores = score_band(picture, rows)
    labels = scores.argmax(dim=0)
    if not confidence:
        return labels, None
    averaged = len(picture.views) > 1 or averages_probabilities(picture.views[0], picture)
    probabilities = scores if averaged else scores.softmax(dim=0)
    return labels, probabilities.amax(dim=0)


def _labels_fit_8_bits(picture: PictureLogits) -> bool:
    return max(2, picture.views[0].tiles[0].logits.shape[0]) <= 255


def _cut_into_bands(picture: PictureLogits, *, confidence: bool) -> Iterator[slice]:
    """Yield rows of the picture, as many as are computed at once."""
    step = _band_rows(picture, confidence=confidence)
    for first in range(0, picture.height, step):
        yield slice(first, min(first + step, picture.height))


def _band_rows(picture: PictureLogits, *, confidence: bool) -> int:
    """Return how many rows of the picture are computed at once."""
    if not confidence and is_plain(picture):
        return max(8, CELL_PIXELS // picture.width)
    classes = picture.views[0].tiles[0].logits.shape[0]
    return max(8, int(BAND_VALUES // (max(2, classes) * values_per_row(picture))))
