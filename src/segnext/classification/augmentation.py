"""A photo to one training sample: crop, mirror, RandAugment, normalisation, random erasing.

Shapes: H and W height and width of the photo, S side of the crop.
"""

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from segnext.classification.randaugment import Picture, RandAugment
from segnext.data.transforms import normalize
from segnext.errors import UsageError
from segnext.spec import IMAGENET_NORMALIZATION, Normalization

Interpolation = Literal["bilinear", "bicubic"]
Box = tuple[float, float, float, float]

# Pillow's filters widen where they shrink, as those of published recipes; OpenCV's do not.
_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}

CROP_TRIES = 10
# Of random erasing (arXiv 1708.04896): share of the crop, and height over width. The paper's are
# 0.02-0.4 and 0.3-3.3; a third is what ImageNet recipes have used since DeiT.
ERASED_AREA = (0.02, 1 / 3)
ERASED_RATIO = (0.3, 1 / 0.3)


def resize(
    image: Picture, size: tuple[int, int], interpolation: Interpolation, box: Box | None = None
) -> Picture:
    """Resize a photo, or a box of it, without aliasing.

    Args:
        image: (H, W, 3).
        size: Height and width to make [px].
        interpolation: `bilinear` or `bicubic`.
        box: Left, top, right and bottom of what to show [px]; everything by default.
    """
    if box is None and image.shape[:2] == size:
        return image
    shown = Image.fromarray(image).resize((size[1], size[0]), _FILTERS[interpolation], box=box)
    return np.asarray(shown, np.uint8)


@dataclass(frozen=True)
class CropRule:
    """How a training crop is cut out.

    Attributes:
        size: S, side of the square crop [px].
        kind: `random_resized`: a box of random area and shape, resized (GoogLeNet, arXiv
            1409.4842, section 6). `padded`: the whole picture with a rim, and a square of its own
            size out of it (as for CIFAR in arXiv 1512.03385, section 4.2).
        scale_range: Share of the photo's area, for `random_resized`.
        ratio_range: Width over height, for `random_resized`.
        interpolation: `bilinear`, `bicubic`, or `random` for one of them each time.
        padding: Width of the rim [px], for `padded`.
    """

    size: int = 224
    kind: Literal["random_resized", "padded"] = "random_resized"
    scale_range: tuple[float, float] = (0.08, 1.0)
    ratio_range: tuple[float, float] = (3 / 4, 4 / 3)
    interpolation: Literal["random", "bilinear", "bicubic"] = "random"
    padding: int = 4

    def __post_init__(self) -> None:
        low, high = self.scale_range
        if not 0 < low <= high <= 1:
            msg = f"scale_range are shares of the area, ascending in 0-1, got {self.scale_range}"
            raise UsageError(msg)
        low, high = self.ratio_range
        if not 0 < low <= high:
            msg = f"ratio_range must be positive and ascending, got {self.ratio_range}"
            raise UsageError(msg)

    def draw(self, image: Picture, rng: np.random.Generator, fill: Picture) -> Picture:
        """Cut a crop (S, S, 3) out of a photo (H, W, 3)."""
        interpolation: Interpolation = "bicubic"
        if self.interpolation == "random":
            interpolation = "bilinear" if rng.random() < 0.5 else "bicubic"
        elif self.interpolation == "bilinear":
            interpolation = "bilinear"
        size = (self.size, self.size)
        if self.kind == "random_resized":
            return resize(image, size, interpolation, draw_box(image.shape[:2], self, rng))
        side, rim = self.size, self.padding
        whole = resize(image, size, interpolation)
        padded = np.empty((side + 2 * rim, side + 2 * rim, 3), np.uint8)
        padded[:] = fill
        padded[rim : rim + side, rim : rim + side] = whole
        top, left = rng.integers(2 * rim + 1, size=2)
        return padded[top : top + side, left : left + side]


def draw_box(shape: tuple[int, ...], rule: CropRule, rng: np.random.Generator) -> Box:
    """Draw the box of a random resized crop: left, top, right, bottom [px].

    Area and logarithm of the shape are uniform. A box that does not fit is drawn anew; after ten
    tries the largest central one of an allowed shape is taken.
    """
    height, width = shape[:2]
    low, high = np.log(rule.ratio_range)
    for _ in range(CROP_TRIES):
        area = height * width * rng.uniform(*rule.scale_range)
        ratio = math.exp(rng.uniform(low, high))
        box_width, box_height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < box_width <= width and 0 < box_height <= height:
            left = int(rng.integers(width - box_width + 1))
            top = int(rng.integers(height - box_height + 1))
            return left, top, left + box_width, top + box_height
    ratio = min(max(width / height, rule.ratio_range[0]), rule.ratio_range[1])
    box_width = min(width, max(1, round(height * ratio)))
    box_height = min(height, max(1, round(width / ratio)))
    left, top = (width - box_width) // 2, (height - box_height) // 2
    return left, top, left + box_width, top + box_height


def erase(
    image: npt.NDArray[np.float32], rng: np.random.Generator, probability: float
) -> npt.NDArray[np.float32]:
    """Fill a random rectangle with noise (random erasing, arXiv 1708.04896).

    Args:
        image: (S, S, 3), normalised; changed in place.
        rng: Source of every random number.
        probability: That anything is erased.
    """
    if rng.random() >= probability:
        return image
    height, width, channels = image.shape
    for _ in range(CROP_TRIES):
        area = height * width * rng.uniform(*ERASED_AREA)
        ratio = math.exp(rng.uniform(*np.log(ERASED_RATIO)))
        rows, columns = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < rows < height and 0 < columns < width:
            top = int(rng.integers(height - rows + 1))
            left = int(rng.integers(width - columns + 1))
            noise = rng.standard_normal((rows, columns, channels), np.float32)
            image[top : top + rows, left : left + columns] = noise
            break
    return image


@dataclass(frozen=True)
class PhotoAugmentation:
    """What training does to a photo.

    Attributes:
        crop: How the crop is cut.
        flip: Probability of mirroring left and right.
        randaugment: Operations on the crop; `None` for none.
        erasing: Probability of erasing a rectangle.
        normalization: Of the pixels, before anything is erased.
    """

    crop: CropRule = field(default_factory=CropRule)
    flip: float = 0.5
    randaugment: RandAugment | None = field(default_factory=RandAugment)
    erasing: float = 0.25
    normalization: Normalization = IMAGENET_NORMALIZATION

    def __call__(self, image: Picture, rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """Turn a photo (H, W, 3) into a sample (3, S, S), a view of (S, S, 3) memory.

        Every random number comes from `rng`, so the sample is a pure function of its state.
        """
        crop = self.crop.draw(image, rng, mean_color(self.normalization))
        if rng.random() < self.flip:
            crop = crop[:, ::-1]
        crop = np.ascontiguousarray(crop)
        if self.randaugment is not None:
            crop = self.randaugment(crop, rng)
        normalized = normalize(crop, self.normalization)
        if self.erasing:
            normalized = erase(np.ascontiguousarray(normalized), rng, self.erasing)
        return normalized.transpose(2, 0, 1)


def mean_color(normalization: Normalization) -> Picture:
    """Return the colour (3,) that is about 0 once normalised."""
    return np.asarray(np.rint(255 * np.array(normalization.mean)), np.uint8)


@dataclass(frozen=True)
class EvaluationView:
    """How a photo is seen outside training.

    Attributes:
        size: Side of the square that the network sees [px].
        crop_share: Of the resized short side; the photo is resized so that its short side is
            `size / crop_share` and the middle is taken. `None` takes the middle of the photo as it
            is, for pictures of the network's own size; another size is resized to it.
        interpolation: `bicubic` or `bilinear`.
    """

    size: int = 224
    crop_share: float | None = 0.875
    interpolation: Interpolation = "bicubic"

    def __post_init__(self) -> None:
        if self.crop_share is not None and not 0 < self.crop_share <= 1:
            msg = f"crop_share lies in 0-1, such as 0.875, got {self.crop_share}"
            raise UsageError(msg)

    def describe(self) -> str:
        """Say in a few words what is done."""
        if self.crop_share is None:
            return f"whole at {self.size}x{self.size}"
        short = round(self.size / self.crop_share)
        return f"short side {short}, centre {self.size}x{self.size}, {self.interpolation}"

    def show(self, image: Picture) -> Picture:
        """Cut the view (S, S, 3) out of a photo (H, W, 3)."""
        height, width = image.shape[:2]
        short = round(self.size / (self.crop_share or 1.0))
        factor = short / min(height, width)
        resized = resize(
            image,
            (max(short, round(height * factor)), max(short, round(width * factor))),
            self.interpolation,
        )
        top, left = (resized.shape[0] - self.size) // 2, (resized.shape[1] - self.size) // 2
        return resized[top : top + self.size, left : left + self.size]
