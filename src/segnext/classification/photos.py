"""Samples of a classification run as pure functions of (seed, number), and photos to score on.

Sample i is the same bits whatever the number of workers and processes, and a resumed run starts at
sample `step * batch_size` with no other state, as in `segnext.data.loader`.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from segnext.classification.augmentation import EvaluationView, PhotoAugmentation
from segnext.classification.randaugment import Picture
from segnext.data.datasets.imagenet import ImageSplit
from segnext.data.images import read_image
from segnext.data.loader import AUGMENT, shuffle
from segnext.data.transforms import normalize
from segnext.spec import Normalization


def read_photo(path: Path) -> Picture:
    """Read a photo as RGB of 8 bit (H, W, 3); grey is repeated, 16 bit are cut to 8.

    Raises:
        DataError: It cannot be read; names the file.
    """
    image = read_image(path, 3)
    return np.asarray(image >> 8 if image.dtype == np.uint16 else image, np.uint8)


class PhotoStream(Dataset[tuple[Tensor, Tensor]]):
    """An endless shuffle of augmented photos, addressed by number.

    Args:
        photos: The training split.
        augmentation: What is done to each.
        seed: Of the run.
        batch_size: Samples per step.
        length: Number of samples the run will take.
        repeats: How many samples of a batch show the same photo, each augmented anew (repeated
            augmentation: Hoffer et al., arXiv 1901.09335; Berman et al., arXiv 1902.05509); divides
            `batch_size`. An epoch keeps its number of samples and sees a part of the photos.
    """

    def __init__(
        self,
        photos: ImageSplit,
        augmentation: PhotoAugmentation,
        *,
        seed: int,
        batch_size: int,
        length: int,
        repeats: int = 1,
    ) -> None:
        assert batch_size % repeats == 0
        self.photos = photos
        self.augmentation = augmentation
        self.seed = seed
        self.batch_size = batch_size
        self.length = length
        self.repeats = repeats

    def __len__(self) -> int:
        """Return the number of samples of the whole run."""
        return self.length

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        """Return sample `number`: image (3, S, S) float32 and its label, int64."""
        path, label = self.photos[self.index_of(number)]
        rng = np.random.default_rng((AUGMENT, self.seed, number))
        return torch.from_numpy(self.augmentation(read_photo(path), rng)), torch.tensor(label)

    def picture_of(self, number: int) -> str:
        """Return the file of the photo that sample `number` shows."""
        return self.photos.files[self.index_of(number)]

    def index_of(self, number: int) -> int:
        """Return which photo sample `number` shows."""
        step, place = divmod(number, self.batch_size)
        # Copies of a photo lie as far apart as they can, so that it is never mixed with itself.
        distinct = self.batch_size // self.repeats
        epoch, position = divmod(step * distinct + place % distinct, len(self.photos))
        return int(shuffle(self.seed, epoch, len(self.photos))[position])


class ViewedPhotos(Dataset[tuple[Tensor, Tensor]]):
    """Photos as they are seen outside training.

    Args:
        photos: A split.
        view: What of each photo is seen.
        normalization: Of its pixels.
        share: Which of the photos; all of them if not given.
    """

    def __init__(
        self,
        photos: ImageSplit,
        view: EvaluationView,
        normalization: Normalization,
        share: range | None = None,
    ) -> None:
        self.photos = photos
        self.view = view
        self.normalization = normalization
        self.share = range(len(photos)) if share is None else share

    def __len__(self) -> int:
        """Return the number of photos."""
        return len(self.share)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        """Return the photo's view (3, S, S) float32 and its label, int64."""
        path, label = self.photos[self.share[number]]
        return view_photo(read_photo(path), self.view, self.normalization), torch.tensor(label)


def view_photo(image: Picture, view: EvaluationView, normalization: Normalization) -> Tensor:
    """Show a photo (H, W, 3) to a network: (3, S, S) float32, normalised."""
    seen = np.ascontiguousarray(view.show(image))
    return torch.from_numpy(normalize(seen, normalization)).permute(2, 0, 1)
