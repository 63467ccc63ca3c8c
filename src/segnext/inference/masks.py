"""Stride-8 logits to a mask, without ever holding logits at full resolution.

Bilinear interpolation is separable and local, so a band of output rows needs only a few rows of
logits. Coordinates are global (output row r samples logits at (r + 0.5) * h / H - 0.5), so bands
join without seams and equal `torch.nn.functional.interpolate(align_corners=False)` to rounding.

In two steps, as the authors and MMSegmentation do, only those rows and columns of the network's
input are interpolated that the band's pixels lie between, and the band from them.

Shapes: K classes, L labels, H and W height and width of the picture, n rows of a band.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from segnext.classes import Mask
from segnext.inference.logits import PictureLogits, Tile, View

# About 16 MB of float32 a band: small beside any model, large enough to be fast.
BAND_VALUES = 4_000_000

# Of positions along an axis: both neighbouring pixels, and the weight of the second.
Neighbours = tuple[Tensor, Tensor, Tensor]


@torch.inference_mode()
def compute_mask(picture: PictureLogits) -> Mask:
    """Return the label of every pixel, (H, W), uint8 or for more than 255 labels uint16."""
    classes = picture.views[0].tiles[0].logits.shape[0]
    dtype = np.uint8 if max(2, classes) <= 255 else np.uint16
    mask = np.empty((picture.height, picture.width), dtype=dtype)
    for rows, scores in _iterate_bands(picture):
        labels = scores.argmax(dim=0)
        mask[rows] = labels.cpu().numpy()
    return mask


@torch.inference_mode()
def compute_confidence(picture: PictureLogits) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Return the probability of the winning label of every pixel, (H, W) float32 in 0-1."""
    confidence = np.empty((picture.height, picture.width), dtype=np.float32)
    averaged = len(picture.views) > 1 or _averages_probabilities(picture.views[0], picture)
    for rows, scores in _iterate_bands(picture):
        probabilities = scores if averaged else scores.softmax(dim=0)
        confidence[rows] = probabilities.amax(dim=0).cpu().numpy()
    return confidence


def _iterate_bands(picture: PictureLogits) -> Iterator[tuple[slice, Tensor]]:
    """Yield row ranges and their scores (L, n, W).

    Scores are logits, or probabilities where the protocol averages these.
    """
    classes = picture.views[0].tiles[0].logits.shape[0]
    step = max(8, int(BAND_VALUES // (max(2, classes) * _values_per_row(picture))))
    for first in range(0, picture.height, step):
        rows = slice(first, min(first + step, picture.height))
        if len(picture.views) == 1:
            yield rows, _label_scores(_sample_view(picture.views[0], picture, rows))
            continue
        total: Tensor | None = None
        for view in picture.views:
            share = _label_scores(_sample_view(view, picture, rows))
            if not _averages_probabilities(view, picture):
                share = share.softmax(dim=0)
            total = share if total is None else total.add_(share)
        assert total is not None
        yield rows, total / len(picture.views)


def _values_per_row(picture: PictureLogits) -> float:
    """Return how many values of a class one row of the picture takes at once."""
    if picture.steps == 1:
        return picture.width
    # Every row and column lies between two of the network's input, or shares them with others.
    return max(
        max(picture.width, min(view.width, 2 * picture.width))
        * max(1.0, min(view.height / picture.height, 2.0))
        for view in picture.views
    )


def _averages_probabilities(view: View, picture: PictureLogits) -> bool:
    return picture.overlap == "probabilities" and len(view.tiles) > 1


def _label_scores(logits: Tensor) -> Tensor:
    """Give a single logit its silent partner: softmax over (0, z) is the sigmoid of z."""
    if logits.shape[0] > 1:
        return logits
    return torch.cat([torch.zeros_like(logits), logits])


def _sample_view(view: View, picture: PictureLogits, rows: slice) -> Tensor:
    """Compute scores of a band of the picture (K or L, n, W) from one view of it."""
    ys = _positions(rows.start, rows.stop, picture.height, view.height)
    xs = _positions(0, picture.width, picture.width, view.width)
    if view.mirrored:
        xs = view.width - 1 - xs
    if picture.steps == 1 or (view.height, view.width) == (picture.height, picture.width):
        return _sample_places(view, picture, ys, xs)
    seen_rows, vertical = _between(ys, view.height)
    seen_columns, horizontal = _between(xs, view.width)
    seen = _sample_places(view, picture, seen_rows, seen_columns)
    return _interpolate(seen, vertical, horizontal)


def _between(positions: Tensor, size: int) -> tuple[Tensor, Neighbours]:
    """Return the whole positions next to others, each once, and how these lie between them."""
    low, high, part = _neighbours(positions + 0.5, size)
    places, indices = torch.unique(torch.cat([low, high]), return_inverse=True)
    return places.double(), (indices[: len(low)], indices[len(low) :], part)


def _sample_places(view: View, picture: PictureLogits, ys: Tensor, xs: Tensor) -> Tensor:
    """Compute scores where view rows ys (n,) and columns xs (m,) cross, in view pixels."""
    if len(view.tiles) == 1:
        return _sample_tile(view.tiles[0], ys, xs)
    device = view.tiles[0].logits.device
    probabilities = _averages_probabilities(view, picture)
    classes = view.tiles[0].logits.shape[0]
    labels = max(2, classes) if probabilities else classes
    total = torch.zeros(labels, len(ys), len(xs), device=device)
    count = torch.zeros(len(ys), len(xs), device=device)
    for tile in view.tiles:
        covered_rows = _covered(ys, tile.top, tile.height)
        covered_columns = _covered(xs, tile.left, tile.width)
        if covered_rows.start == covered_rows.stop or covered_columns.start == covered_columns.stop:
            continue
        sampled = _sample_tile(tile, ys[covered_rows], xs[covered_columns])
        if probabilities:
            sampled = _label_scores(sampled).softmax(dim=0)
        total[:, covered_rows, covered_columns] += sampled
        count[covered_rows, covered_columns] += 1
    return total / count


def _positions(first: int, last: int, picture_size: int, view_size: int) -> Tensor:
    """Return where picture pixels first..last-1 lie in the view, in view pixels (float64)."""
    pixels = torch.arange(first, last, dtype=torch.float64)
    return (pixels + 0.5) * (view_size / picture_size) - 0.5


def _covered(positions: Tensor, start: int, length: int) -> slice:
    """Return the run of positions whose nearest pixel lies in [start, start + length)."""
    inside = (positions >= start - 0.5) & (positions < start + length - 0.5)
    indices = inside.nonzero().flatten()
    return slice(int(indices[0]), int(indices[-1]) + 1) if len(indices) else slice(0, 0)


def _sample_tile(tile: Tile, ys: Tensor, xs: Tensor) -> Tensor:
    """Interpolate a tile's logits at view positions ys (n,) and xs (m,): (K, n, m)."""
    _, height, width = tile.logits.shape
    vertical = _neighbours((ys - tile.top + 0.5) * (height / tile.height), height)
    horizontal = _neighbours((xs - tile.left + 0.5) * (width / tile.width), width)
    return _interpolate(tile.logits, vertical, horizontal)


def _interpolate(scores: Tensor, vertical: Neighbours, horizontal: Neighbours) -> Tensor:
    """Interpolate scores (K, h, w) at n rows and m columns: (K, n, m)."""
    low_y, high_y, part_y = vertical
    low_x, high_x, part_x = horizontal
    device = scores.device
    # Columns first, on the few rows that the band touches.
    first, last = int(low_y.min()), int(high_y.max())
    touched = scores[:, first : last + 1]
    stretched = torch.lerp(
        touched.index_select(2, low_x.to(device)),
        touched.index_select(2, high_x.to(device)),
        part_x.to(device),
    )
    return torch.lerp(
        stretched.index_select(1, (low_y - first).to(device)),
        stretched.index_select(1, (high_y - first).to(device)),
        part_y.to(device)[:, None],
    )


def _neighbours(edges: Tensor, size: int) -> Neighbours:
    """Return where positions given as pixel edges lie between the pixels of an axis."""
    centres = (edges - 0.5).clamp(0, size - 1)
    low = centres.floor().long()
    return low, (low + 1).clamp(max=size - 1), (centres - low).float()
