"""The pictures behind every cell of a confusion matrix.

Shapes: L labels, k pictures kept per cell.
"""

import numpy as np
import numpy.typing as npt


class CellLeaders:
    """For each pair of truth and prediction, the pictures that hold most of its pixels.

    Args:
        num_labels: L.
        keep: k.

    Attributes:
        pixels: (k, L, L), the most first; rows are the truth, columns the prediction.
        pictures: (k, L, L), numbers of the pictures; -1 where there is none.
    """

    def __init__(self, num_labels: int, keep: int) -> None:
        shape = (keep, num_labels, num_labels)
        self.pixels = np.zeros(shape, np.int64)
        self.pictures = np.full(shape, -1, np.int64)

    def update(self, picture: int, counts: npt.NDArray[np.int64]) -> None:
        """Add a picture's confusion matrix (L, L)."""
        pixels, pictures = counts.copy(), np.full(counts.shape, picture, np.int64)
        for kept_pixels, kept_pictures in zip(self.pixels, self.pictures, strict=True):
            # What is pushed out of a place tries the next one.
            better = pixels > kept_pixels
            kept_pixels[better], pixels[better] = pixels[better], kept_pixels[better]
            kept_pictures[better], pictures[better] = pictures[better], kept_pictures[better]

    def of(self, truth: int, prediction: int) -> list[tuple[int, int]]:
        """Return number and pixels of the pictures behind a cell, the most first."""
        pixels, pictures = self.pixels[:, truth, prediction], self.pictures[:, truth, prediction]
        return [(int(p), int(n)) for p, n in zip(pictures, pixels, strict=True) if n]
