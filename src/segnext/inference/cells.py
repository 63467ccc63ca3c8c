"""Labels of upsampled logits without upsampling most of them, exactly.

A pixel's score is a convex combination of the four logits around it, so:

- Where one class wins at all four corners of a cell, it wins at every pixel of the cell.
- Elsewhere a class can win only if it beats, at one corner at least, the class that is best on
  average there: all others lie below that class at all four corners, hence everywhere between.

The first fills most of a segmentation, the second leaves a handful of the K classes to be
interpolated on the boundaries. A pixel may differ from `interpolate(...).argmax()` only where its
two best scores are equal to rounding.

Shapes: K classes, h and w those of the logits, n rows and m columns of pixels, c cells,
r and s most rows and columns of pixels in a cell.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from segnext.inference.upsampling import Neighbours, label_scores, spread

# Candidates that are interpolated together; cells with more take all K classes.
FEW, SOME = 4, 16
# Pixels whose cells are looked at together.
BAND_PIXELS = 500_000
# Values interpolated at once: small enough for a core's cache.
CHUNK_VALUES = 400_000


def label_image(logits: Tensor, height: int, width: int) -> Tensor:
    """Return the winning label of every pixel of an image.

    Args:
        logits: (K, h, w) float32; one class stands against a silent background.
        height: H of the image in pixels.
        width: W of the image in pixels.

    Returns:
        (H, W) int64: those of `interpolate(logits, (H, W)).argmax()`.
    """
    scores = label_scores(logits)
    vertical, horizontal = spread(height, scores.shape[1]), spread(width, scores.shape[2])
    labels = torch.empty(height, width, dtype=torch.int64, device=scores.device)
    # In bands, so that what a band needs besides is small.
    step = max(8, BAND_PIXELS // width)
    for first in range(0, height, step):
        low, high, part = (along[first : first + step] for along in vertical)
        labels[first : first + step] = label_cells(scores, (low, high, part), horizontal)
    return labels


def label_cells(logits: Tensor, vertical: Neighbours, horizontal: Neighbours) -> Tensor:
    """Return the winning class of every pixel.

    Args:
        logits: (K, h, w), at least two classes.
        vertical: Of n rows of pixels, in ascending or descending order.
        horizontal: Of m columns of pixels, likewise.

    Returns:
        (n, m) int64 on the logits' device.
    """
    low, high, part = vertical
    top, bottom = int(low.min()), int(high.max()) + 1
    vertical = low - top, high - top, part
    scores = logits[:, top:bottom].permute(1, 2, 0).contiguous()
    rows, columns = _runs(vertical, scores.device), _runs(horizontal, scores.device)
    winners = scores.argmax(dim=2)
    corners = [winners[y][:, x] for y in (rows.low, rows.high) for x in (columns.low, columns.high)]
    first = corners[0]
    agree = (first == corners[1]) & (first == corners[2]) & (first == corners[3])
    labels = first.repeat_interleave(rows.count, 0).repeat_interleave(columns.count, 1)
    cells = (~agree).nonzero()
    if len(cells):
        _label_boundaries(labels, scores, rows, columns, cells)
    return labels


@dataclass(frozen=True)
class _Runs:
    """Pixels along one axis in runs that share both neighbours.

    Attributes:
        low: (u,) index of the first neighbour.
        high: (u,) index of the second.
        start: (u,) first pixel of the run.
        count: (u,) pixels of the run.
        part: (u, r) weight of the second neighbour, for `count` pixels; zeros behind them.
    """

    low: Tensor
    high: Tensor
    start: Tensor
    count: Tensor
    part: Tensor


def _runs(along: Neighbours, device: torch.device) -> _Runs:
    low, high, part = along
    _, counts = torch.unique_consecutive(low, return_counts=True)
    # Pixels beyond the outermost logits would make the runs at the edges longer than all others,
    # and every cell is as large as the largest: cut them to the length of an inner run.
    longest = int(counts[1:-1].max()) if len(counts) > 2 else int(counts.max())
    pieces = [
        min(longest, int(count) - done)
        for count in counts
        for done in range(0, int(count), longest)
    ]
    count = torch.tensor(pieces)
    start = count.cumsum(0) - count
    places = start[:, None] + torch.arange(longest)
    inside = torch.arange(longest) < count[:, None]
    padded = part[places.clamp(max=len(part) - 1)] * inside
    return _Runs(*(t.to(device) for t in (low[start], high[start], start, count, padded)))


def _label_boundaries(
    labels: Tensor, scores: Tensor, rows: _Runs, columns: _Runs, cells: Tensor
) -> None:
    """Write the labels of cells (c, 2), whose corners disagree, into labels (n, m)."""
    _, w, classes = scores.shape
    flat = scores.view(-1, classes)
    y, x = cells.unbind(1)
    places = [
        high_or_low_y[y] * w + high_or_low_x[x]
        for high_or_low_y in (rows.low, rows.high)
        for high_or_low_x in (columns.low, columns.high)
    ]
    step = max(1, 4 * CHUNK_VALUES // classes)
    for first in range(0, len(cells), step):
        part = slice(first, first + step)
        corners = torch.stack([flat[place[part]] for place in places])
        excess, candidates = _find_candidates(corners)
        for most, chosen in _by_number(candidates, classes):
            if most < classes:
                names = excess[chosen].topk(most, dim=1).indices
                few = corners[:, chosen].gather(2, names.expand(4, -1, -1))
            else:
                names, few = None, corners[:, chosen]
            _interpolate_and_label(labels, few, names, rows, columns, cells[part][chosen])


def _find_candidates(corners: Tensor) -> tuple[Tensor, Tensor]:
    """Tell which classes can win between corners (4, c, K).

    Returns:
        By how much a class exceeds the best one on average, at the corner where it does so most,
        (c, K), and the number of classes that do, that one included, (c,).
    """
    best = corners.sum(dim=0).argmax(dim=1, keepdim=True)
    excess = (corners - corners.gather(2, best.expand(4, -1, -1))).amax(dim=0)
    excess.scatter_(1, best, torch.inf)
    return excess, (excess > 0).sum(dim=1)


def _by_number(candidates: Tensor, classes: int) -> list[tuple[int, Tensor]]:
    """Group cells by how many classes are to be interpolated: (number, indices of cells)."""
    groups = []
    least = 0
    for most in (FEW, SOME, classes):
        most = min(most, classes)
        chosen = ((candidates > least) & (candidates <= most)).nonzero()[:, 0]
        if len(chosen):
            groups.append((most, chosen))
        least = most
    return groups


def _interpolate_and_label(
    labels: Tensor,
    corners: Tensor,
    names: Tensor | None,
    rows: _Runs,
    columns: _Runs,
    cells: Tensor,
) -> None:
    """Interpolate corners (4, c, k) over their cells (c, 2) and write the winners.

    Args:
        labels: (n, m), written to.
        corners: Of the upper left, upper right, lower left and lower right corner.
        names: Class of each of the k, (c, k); `None` if they are all classes in order.
        rows: Of the pixels.
        columns: Of the pixels.
        cells: Indices into rows and columns.
    """
    heights, widths = rows.part.shape[1], columns.part.shape[1]
    step = max(1, CHUNK_VALUES // (corners.shape[2] * heights * widths))
    for first in range(0, len(cells), step):
        chunk = slice(first, first + step)
        y, x = cells[chunk].unbind(1)
        upper_left, upper_right, lower_left, lower_right = corners[:, chunk, None]
        down = rows.part[y][:, :, None]
        left = torch.lerp(upper_left, lower_left, down)
        right = torch.lerp(upper_right, lower_right, down)
        across = columns.part[x][:, None, :, None]
        scores = torch.lerp(left[:, :, None], right[:, :, None], across)
        winners = scores.argmax(dim=3)
        if names is not None:
            winners = names[chunk].gather(1, winners.flatten(1)).view_as(winners)
        _write(labels, winners, rows, columns, y, x)


def _write(
    labels: Tensor, winners: Tensor, rows: _Runs, columns: _Runs, y: Tensor, x: Tensor
) -> None:
    """Write winners (c, r, s) to the pixels of cells; what is behind a run's end is left out."""
    down = torch.arange(winners.shape[1], device=labels.device)
    across = torch.arange(winners.shape[2], device=labels.device)
    inside = (down < rows.count[y][:, None])[:, :, None] & (across < columns.count[x][:, None])[
        :, None
    ]
    place = ((rows.start[y][:, None] + down) * labels.shape[1])[:, :, None] + (
        columns.start[x][:, None] + across
    )[:, None]
    labels.view(-1)[place[inside]] = winners[inside]
