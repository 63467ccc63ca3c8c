"""Training augmentation: one warp, one table.

Scale, crop and flip are one affine matrix applied once to the image and once to the mask, and
only the pixels of the crop are ever computed. Coordinates are half-pixel centred: output pixel
x shows the source at (x + 0.5) / scale - 0.5, for image and mask alike. Photometric distortion
is composed into look-up tables. The order of operations is that of the paper's configurations
(scale, crop, flip, photometric distortion, normalisation, padding).

Shapes: H and W height and width of the source, C channels.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segnext.classes import Mask
from segnext.data.images import Image
from segnext.errors import UsageError
from segnext.spec import Normalization

CROP_TRIES = 10
MAX_CLASS_SHARE = 0.75


def full_scale(image: Image) -> int:
    """Return the pixel value that counts as 1.0: 255 for 8-bit images, 65535 for 16-bit."""
    return int(np.iinfo(image.dtype).max)


def normalize(image: Image, normalization: Normalization) -> npt.NDArray[np.float32]:
    """Scale (H, W, C) to 0-1 by its depth, subtract the mean, divide by the std.

    Returns:
        (H, W, C) float32.
    """
    mean = np.asarray(normalization.mean, dtype=np.float32)
    std = np.asarray(normalization.std, dtype=np.float32)
    return (image.astype(np.float32) / np.float32(full_scale(image)) - mean) / std


@dataclass(frozen=True)
class Augmentation:
    """What training does to a picture; sizes in pixels.

    Attributes:
        crop_size: Height and width of what the network sees.
        base_size: Long and short side of the box that scale 1 fits the picture into; `None`
            takes the picture's own size.
        scale_range: Random factors on the base size.
        flip: Probability of mirroring left and right.
        photometric: Random brightness and contrast, and for 8-bit RGB saturation and hue.
    """

    crop_size: tuple[int, int]
    base_size: tuple[int, int] | None = None
    scale_range: tuple[float, float] = (0.5, 2.0)
    flip: float = 0.5
    photometric: bool = True

    def __post_init__(self) -> None:
        if min(self.crop_size) < 32:
            msg = f"crop {self.crop_size} is below the network's least size, 32 px"
            raise UsageError(msg)
        low, high = self.scale_range
        if not 0 < low <= high:
            msg = f"scale_range must be positive and ascending, got {self.scale_range}"
            raise UsageError(msg)
        if not 0 <= self.flip <= 1:
            msg = f"flip is a probability, got {self.flip}"
            raise UsageError(msg)


class TrainTransform:
    """Turn a picture and its mask into one training sample.

    Args:
        augmentation: What to do.
        normalization: Applied last; padding outside the picture is 0 after it.
        ignore_index: Value of mask pixels outside the picture.
    """

    def __init__(
        self, augmentation: Augmentation, normalization: Normalization, *, ignore_index: int = 255
    ) -> None:
        self.augmentation = augmentation
        self.normalization = normalization
        self.ignore_index = ignore_index

    def __call__(
        self, image: Image, mask: Mask, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Augment an image (H, W, C) and a mask (H, W) of train ids.

        Every random number comes from `rng`, so the sample is a pure function of its state.

        Returns:
            Image (C, crop height, crop width) float32 and mask (crop height, crop width) int64.
        """
        height, width = mask.shape
        scaled = self._draw_scaled_size(height, width, rng)
        matrix, size, cut = self._draw_crop(mask, scaled, rng)
        seen = warp(image, matrix, size, cv2.INTER_LINEAR)
        if self.augmentation.photometric:
            seen = distort(seen, rng)
        crop_height, crop_width = self.augmentation.crop_size
        padded = np.zeros((image.shape[2], crop_height, crop_width), dtype=np.float32)
        padded[:, : size[0], : size[1]] = normalize(seen, self.normalization).transpose(2, 0, 1)
        target = np.full(self.augmentation.crop_size, self.ignore_index, dtype=np.int64)
        target[: size[0], : size[1]] = cut
        return padded, target

    def _draw_scaled_size(
        self, height: int, width: int, rng: np.random.Generator
    ) -> tuple[int, int]:
        """Draw the size to which the whole picture would be resized, aspect kept."""
        long_side, short_side = self.augmentation.base_size or (
            max(height, width),
            min(height, width),
        )
        fit = min(long_side / max(height, width), short_side / min(height, width))
        factor = fit * rng.uniform(*self.augmentation.scale_range)
        return max(1, round(height * factor)), max(1, round(width * factor))

    def _draw_crop(
        self, mask: Mask, scaled: tuple[int, int], rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.float64], tuple[int, int], Mask]:
        """Draw crop and flip; again while one class fills the crop, the last draw stands.

        Returns:
            The output-to-source matrix, the (height, width) that lies inside the picture, and
            the mask there.
        """
        crop_height, crop_width = self.augmentation.crop_size
        size = min(scaled[0], crop_height), min(scaled[1], crop_width)
        flipped = rng.random() < self.augmentation.flip
        for _ in range(CROP_TRIES):
            top = int(rng.integers(scaled[0] - size[0] + 1))
            left = int(rng.integers(scaled[1] - size[1] + 1))
            matrix = crop_matrix(mask.shape, scaled, (top, left), size, flipped=flipped)
            cut: Any = warp(mask, matrix, size, cv2.INTER_NEAREST)
            if not dominated_by_one_class(cut, self.ignore_index):
                break
        return matrix, size, cut


def crop_matrix(
    source: tuple[int, ...],
    scaled: tuple[int, int],
    corner: tuple[int, int],
    size: tuple[int, int],
    *,
    flipped: bool,
) -> npt.NDArray[np.float64]:
    """Compose resize, crop and flip into one matrix from output to source pixels.

    Args:
        source: Height and width of the picture.
        scaled: Height and width it would be resized to.
        corner: Top and left of the crop in the resized picture.
        size: Height and width of the crop.
        flipped: Mirror the crop left to right.

    Returns:
        (2, 3): source (x, y) = matrix @ (output x, output y, 1), centres at half pixels.
    """
    step_y, step_x = source[0] / scaled[0], source[1] / scaled[1]
    start_y = (corner[0] + 0.5) * step_y - 0.5
    start_x = (corner[1] + 0.5) * step_x - 0.5
    if flipped:
        start_x += (size[1] - 1) * step_x
        step_x = -step_x
    return np.array([[step_x, 0.0, start_x], [0.0, step_y, start_y]])


def warp(
    image: npt.NDArray[Any], matrix: npt.NDArray[np.float64], size: tuple[int, int], mode: int
) -> Any:
    """Sample (height, width) output pixels through an output-to-source matrix.

    Edges are repeated: half-pixel centres reach half a pixel beyond the picture when enlarging.
    """
    # OpenCV warps at most four channels at a time.
    parts = [
        cv2.warpAffine(
            np.ascontiguousarray(part),
            matrix,
            (size[1], size[0]),
            flags=mode | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for part in _channel_groups(image)
    ]
    if image.ndim == 2:
        return parts[0]
    return np.concatenate([part.reshape(*size, -1) for part in parts], axis=2)


def _channel_groups(image: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    if image.ndim == 2 or image.shape[2] <= 4:
        return [image]
    return [image[:, :, first : first + 4] for first in range(0, image.shape[2], 4)]


def dominated_by_one_class(mask: npt.NDArray[Any], ignore_index: int) -> bool:
    """Tell whether one class holds at least 75 % of the valid pixels, or there is but one."""
    counts = np.bincount(mask[mask != ignore_index].reshape(-1))
    return bool(np.count_nonzero(counts) <= 1 or counts.max() >= MAX_CLASS_SHARE * counts.sum())


def distort(image: Image, rng: np.random.Generator) -> Image:
    """Change brightness, contrast, saturation and hue, each with probability one half.

    Brightness moves by up to 32/255 of the full scale, contrast and saturation by factors of 0.5
    to 1.5, hue by up to 18 of 180 steps; contrast comes before or after the colour changes.
    Saturation and hue apply to 8-bit RGB only.

    Args:
        image: (H, W, C), 8 or 16 bit.
        rng: Source of every random number.
    """
    top = full_scale(image)
    drawn = rng.random(5) < 0.5
    shift = rng.uniform(-32, 32) / 255 * top if drawn[0] else 0.0
    contrast = rng.uniform(0.5, 1.5) if drawn[1] else 1.0
    saturation = rng.uniform(0.5, 1.5) if drawn[2] else 1.0
    hue = int(rng.integers(-18, 19)) if drawn[3] else 0
    contrast_first = bool(drawn[4])
    colorful = image.dtype == np.uint8 and image.shape[2] == 3
    steps = np.arange(top + 1, dtype=np.float64)
    before = (steps + shift) * (contrast if contrast_first or not colorful else 1.0)
    image = _look_up(image, before)
    if not colorful:
        return image
    image = _shift_color(image, saturation, hue)
    return image if contrast_first else _look_up(image, steps * contrast)


def _look_up(image: Image, values: npt.NDArray[np.float64]) -> Image:
    table = np.clip(np.rint(values), 0, full_scale(image)).astype(image.dtype)
    looked_up: Any = cv2.LUT(image, table) if image.dtype == np.uint8 else table[image]
    same_shape: Image = looked_up.reshape(image.shape)
    return same_shape


def _shift_color(image: Image, saturation: float, hue: int) -> Image:
    if saturation == 1.0 and hue == 0:
        return image
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    steps = np.arange(256)
    table = np.stack(
        [(steps + hue) % 180, np.clip(np.rint(steps * saturation), 0, 255), steps], axis=1
    ).astype(np.uint8)
    shifted: Image = cv2.cvtColor(cv2.LUT(hsv, table[None]), cv2.COLOR_HSV2RGB)
    return shifted
