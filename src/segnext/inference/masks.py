"""Stride-8 logits to a mask, without ever holding logits at full resolution.

Bilinear interpolation is separable and local, so a band of output rows needs only a few rows of
logits. Coordinates are global (output row r samples logits at (r + 0.5) * h / H - 0.5), so bands
join without seams and equal `torch.nn.functional.interpolate(align_corners=False)` to rounding.

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
    averaged = len(picture.views) > 1
    for rows, scores in _iterate_bands(picture):
        probabilities = scores if averaged else scores.softmax(dim=0)
        confidence[rows] = probabilities.amax(dim=0).cpu().numpy()
    return confidence


def _iterate_bands(picture: PictureLogits) -> Iterator[tuple[slice, Tensor]]:
    """Yield row ranges and their scores (L, n, W): logits, or with several views probabilities."""
    classes = picture.views[0].tiles[0].logits.shape[0]
    step = max(8, BAND_VALUES // (max(2, classes) * picture.width))
    for first in range(0, picture.height, step):
        rows = slice(first, min(first + step, picture.height))
        if len(picture.views) == 1:
            yield rows, _label_scores(_sample_view(picture.views[0], picture, rows))
            continue
        total: Tensor | None = None
        for view in picture.views:
            share = _label_scores(_sample_view(view, picture, rows)).softmax(dim=0)
            total = share if total is None else total.add_(share)
        assert total is not None
        yield rows, total / len(picture.views)


def _label_scores(logits: Tensor) -> Tensor:
    """Give a single logit its silent partner: softmax over (0, z) is the sigmoid of z."""
    if logits.shape[0] > 1:
        return logits
    return torch.cat([torch.zeros_like(logits), logits])


def _sample_view(view: View, picture: PictureLogits, rows: slice) -> Tensor:
    """Compute logits (K, n, W) of a band of the picture from one view of it."""
    device = view.tiles[0].logits.device
    ys = _positions(rows.start, rows.stop, picture.height, view.height)
    xs = _positions(0, picture.width, picture.width, view.width)
    if view.mirrored:
        xs = view.width - 1 - xs
    if len(view.tiles) == 1:
        return _sample_tile(view.tiles[0], ys, xs)
    classes = view.tiles[0].logits.shape[0]
    total = torch.zeros(classes, len(ys), len(xs), device=device)
    count = torch.zeros(len(ys), len(xs), device=device)
    for tile in view.tiles:
        covered_rows = _covered(ys, tile.top, tile.height)
        covered_columns = _covered(xs, tile.left, tile.width)
        if covered_rows.start == covered_rows.stop:
            continue
        total[:, covered_rows, covered_columns] += _sample_tile(
            tile, ys[covered_rows], xs[covered_columns]
        )
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
    low_y, high_y, part_y = _neighbours((ys - tile.top + 0.5) * (height / tile.height), height)
    low_x, high_x, part_x = _neighbours((xs - tile.left + 0.5) * (width / tile.width), width)
    device = tile.logits.device
    # Columns first, on the few logit rows that the band touches.
    first, last = int(low_y.min()), int(high_y.max())
    touched = tile.logits[:, first : last + 1]
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


def _neighbours(edges: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return both neighbours and the weight of the second for positions given as pixel edges."""
    centres = (edges - 0.5).clamp(0, size - 1)
    low = centres.floor().long()
    return low, (low + 1).clamp(max=size - 1), (centres - low).float()
