"""Scores of some rows of a picture, from what the network saw of it.

Coordinates are global, so bands of rows join without seams. In two steps, as the authors and
MMSegmentation do, only those rows and columns of the network's input are interpolated that the
band's pixels lie between, and the band from them.

Shapes: K classes, L labels, H and W height and width of the picture, n rows and m columns.
"""

import torch
from torch import Tensor

from segnext.inference.blending import blend_tiles
from segnext.inference.logits import PictureLogits
from segnext.inference.upsampling import Neighbours, interpolate, label_scores, neighbours
from segnext.inference.views import Tile, View


def is_plain(picture: PictureLogits) -> bool:
    """Tell whether pixels are one interpolation away from one grid of logits."""
    view = picture.views[0]
    single = len(view.tiles) == 1 or picture.overlap == "blend"
    return len(picture.views) == 1 and single and _in_one_step(view, picture)


def _in_one_step(view: View, picture: PictureLogits) -> bool:
    return picture.steps == 1 or (view.height, view.width) == (picture.height, picture.width)


def score_band(picture: PictureLogits, rows: slice) -> Tensor:
    """Compute scores (L, n, W): logits, or probabilities where the protocol averages these."""
    if len(picture.views) == 1:
        return label_scores(_sample_view(picture.views[0], picture, rows))
    total: Tensor | None = None
    for view in picture.views:
        share = label_scores(_sample_view(view, picture, rows))
        if not averages_probabilities(view, picture):
            share = share.softmax(dim=0)
        total = share if total is None else total.add_(share)
    assert total is not None
    return total / len(picture.views)


def values_per_row(picture: PictureLogits) -> float:
    """Return how many values of a class one row of the picture takes at once."""
    if picture.steps == 1:
        return picture.width
    # Every row and column lies between two of the network's input, or shares them with others.
    return max(
        max(picture.width, min(view.width, 2 * picture.width))
        * max(1.0, min(view.height / picture.height, 2.0))
        for view in picture.views
    )


def averages_probabilities(view: View, picture: PictureLogits) -> bool:
    """Tell whether what `score_band` takes of a view are probabilities already."""
    return picture.overlap == "probabilities" and len(view.tiles) > 1


def view_positions(view: View, picture: PictureLogits, rows: slice) -> tuple[Tensor, Tensor]:
    """Return where rows, and all columns, of the picture lie in a view, in view pixels."""
    ys = positions(rows.start, rows.stop, picture.height, view.height)
    xs = positions(0, picture.width, picture.width, view.width)
    return ys, view.width - 1 - xs if view.mirrored else xs


def _sample_view(view: View, picture: PictureLogits, rows: slice) -> Tensor:
    """Compute scores of a band of the picture (K or L, n, W) from one view of it."""
    ys, xs = view_positions(view, picture, rows)
    if _in_one_step(view, picture):
        return _sample_places(view, picture, ys, xs)
    seen_rows, vertical = _between(ys, view.height)
    seen_columns, horizontal = _between(xs, view.width)
    seen = _sample_places(view, picture, seen_rows, seen_columns)
    return interpolate(seen, vertical, horizontal)


def _between(positions: Tensor, size: int) -> tuple[Tensor, Neighbours]:
    """Return the whole positions next to others, each once, and how these lie between them."""
    low, high, part = neighbours(positions, size)
    places, indices = torch.unique(torch.cat([low, high]), return_inverse=True)
    return places.double(), (indices[: len(low)], indices[len(low) :], part)


def _sample_places(view: View, picture: PictureLogits, ys: Tensor, xs: Tensor) -> Tensor:
    """Compute scores where view rows ys (n,) and columns xs (m,) cross, in view pixels."""
    if len(view.tiles) == 1 or picture.overlap == "blend":
        return _sample_tile(single_tile(view, picture, ys), ys, xs)
    device = view.tiles[0].logits.device
    probabilities = averages_probabilities(view, picture)
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
            sampled = label_scores(sampled).softmax(dim=0)
        total[:, covered_rows, covered_columns] += sampled
        count[covered_rows, covered_columns] += 1
    return total / count


def single_tile(view: View, picture: PictureLogits, ys: Tensor) -> Tile:
    """Return the grid of logits that view rows ys (n,) lie on: the only tile, or all blended."""
    if picture.overlap == "blend" and len(view.tiles) > 1:
        return blend_tiles(view.tiles, int(ys.min()), int(ys.max()) + 1)
    return view.tiles[0]


def positions(first: int, last: int, picture_size: int, view_size: int) -> Tensor:
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
    return interpolate(tile.logits, *between_logits(tile, ys, xs))


def between_logits(tile: Tile, ys: Tensor, xs: Tensor) -> tuple[Neighbours, Neighbours]:
    """Find the logits of a tile that view positions ys (n,) and xs (m,) lie between."""
    _, height, width = tile.logits.shape
    vertical = (ys - tile.top + 0.5) * (height / tile.height) - 0.5
    horizontal = (xs - tile.left + 0.5) * (width / tile.width) - 0.5
    return neighbours(vertical, height), neighbours(horizontal, width)
