"""Training augmentation, and the normalisation that ends it.

The order of operations is that of the paper's configurations: scale, crop, flip, photometric
distortion, normalisation, padding. Only the pixels of the crop are ever computed.

Shapes: H and W height and width of the source, C channels.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from segnext.classes import Mask
from segnext.data.crops import (
    Size,
    Turning,
    Window,
    dominated_by_one_class,
    draw_rare_pixel,
    draw_window,
)
from segnext.data.images import Image
from segnext.data.photometric import Limits, draw_distortion
from segnext.errors import UsageError
from segnext.spec import Normalization

CROP_TRIES = 10


def full_scale(image: Image) -> int:
    """Return the pixel value that counts as 1.0: 255 for 8-bit images, 65535 for 16-bit."""
    return int(np.iinfo(image.dtype).max)


def nodata_pixels(image: Image, nodata: float | None) -> npt.NDArray[np.bool_]:
    """Find the pixels of an image (H, W, C) that hold `nodata` in every channel.

    Args:
        image: As read from the file, neither resampled nor distorted.
        nodata: Stored pixel value; `None`, and values the file's type cannot hold, mark nothing.

    Returns:
        (H, W), true where nothing was observed.
    """
    top = full_scale(image)
    if nodata is None or not 0 <= nodata <= top or nodata != int(nodata):
        return np.zeros(image.shape[:2], dtype=np.bool_)
    missing: npt.NDArray[np.bool_] = (image == image.dtype.type(nodata)).all(axis=2)
    return missing


def normalize(
    image: Image,
    normalization: Normalization,
    missing: npt.NDArray[np.bool_] | None = None,
    table: Image | None = None,
) -> npt.NDArray[np.float32]:
    """Scale (H, W, C) to 0-1 by its depth, clip, subtract the mean, divide by the std.

    Args:
        image: 8 or 16 bit.
        normalization: Of as many channels.
        missing: (H, W), true where nothing was observed, for images whose values no longer tell
            because they were resampled or distorted; by default `nodata_pixels` of the image.
        table: For 8 bit: values to take instead of the pixels' own, (256, 1 or C).

    Returns:
        (H, W, C) float32; 0 where nothing was observed.
    """
    if image.dtype == np.uint8:
        values = np.arange(256, dtype=np.uint8)[:, None] if table is None else table
        # 256 values are normalised instead of every pixel.
        normalized: npt.NDArray[np.float32] = cv2.LUT(
            image, _scale(values, normalization)[None]
        ).reshape(image.shape)
    else:
        normalized = _scale(image, normalization)
    if normalization.nodata is not None:
        normalized[nodata_pixels(image, normalization.nodata) if missing is None else missing] = 0
    return normalized


def _scale(values: Image, normalization: Normalization) -> npt.NDArray[np.float32]:
    """Normalise values whose last axis is the channels, or one for all of them."""
    mean = np.asarray(normalization.mean, dtype=np.float32)
    std = np.asarray(normalization.std, dtype=np.float32)
    scaled = values.astype(np.float32) / np.float32(full_scale(values))
    if normalization.low is not None and normalization.high is not None:
        low, high = np.array((normalization.low, normalization.high), dtype=np.float32)
        scaled = np.clip(scaled, low, high)
    normalized: npt.NDArray[np.float32] = (scaled - mean) / std
    return normalized


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
        hue: Let the photometric distortion change hues.
        flip_vertical: Probability of mirroring top and bottom.
        rotate90: Turn by a random multiple of 90 degrees.
        rare_crop: Probability of a crop around a random pixel of a rare class, where the picture
            shows one; the class is drawn first, so that small ones count as much as large ones.
        rare_classes: Train ids of the rare classes.
    """

    crop_size: tuple[int, int]
    base_size: tuple[int, int] | None = None
    scale_range: tuple[float, float] = (0.5, 2.0)
    flip: float = 0.5
    photometric: bool = True
    hue: bool = True
    flip_vertical: float = 0.0
    rotate90: bool = False
    rare_crop: float = 0.0
    rare_classes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if min(self.crop_size) < 32:
            msg = f"crop {self.crop_size} is below the network's least size, 32 px"
            raise UsageError(msg)
        low, high = self.scale_range
        if not 0 < low <= high:
            msg = f"scale_range must be positive and ascending, got {self.scale_range}"
            raise UsageError(msg)
        for name in ("flip", "flip_vertical", "rare_crop"):
            probability = getattr(self, name)
            if not 0 <= probability <= 1:
                msg = f"{name} is a probability, got {probability}"
                raise UsageError(msg)
        if self.rare_crop and not self.rare_classes:
            msg = f"rare_crop {self.rare_crop} needs rare_classes, the train ids to look for"
            raise UsageError(msg)
        if min(self.rare_classes, default=0) < 0:
            msg = f"rare_classes are train ids, 0 or more, got {self.rare_classes}"
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

        Every random number comes from `rng`, so the sample is a pure function of its state. Pixels
        that hold the nodata value of the normalisation are ignored.

        Returns:
            Image (C, crop height, crop width) float32, a view of (height, width, C) memory, and
            mask (crop height, crop width) int64.
        """
        normalization = self.normalization
        missing = None
        if normalization.nodata is not None:
            missing = nodata_pixels(image, normalization.nodata)
            mask = np.where(missing, mask.dtype.type(self.ignore_index), mask)
        height, width = mask.shape
        scaled = self._draw_scaled_size(height, width, rng)
        window, turning, cut = self._draw_crop(mask, scaled, rng)
        seen = turning.apply(window.show(image, cv2.INTER_LINEAR))
        if missing is not None:
            shown = window.show(missing.view(np.uint8), cv2.INTER_NEAREST_EXACT)
            missing = turning.apply(shown).view(np.bool_)
        table = None
        if self.augmentation.photometric:
            hue = self.augmentation.hue
            distortion = draw_distortion(seen, rng, limits=self._limits(), hue=hue)
            seen, table = distortion.apply_colors(seen), distortion.after
        normalized = normalize(seen, normalization, missing, table)
        target = np.full(self.augmentation.crop_size, self.ignore_index, dtype=np.int64)
        rows, columns = cut.shape
        target[:rows, :columns] = cut
        if normalized.shape[:2] != target.shape:
            padded = np.zeros((*target.shape, image.shape[2]), dtype=np.float32)
            padded[:rows, :columns] = normalized
            normalized = padded
        return normalized.transpose(2, 0, 1), target

    def _limits(self) -> Limits | None:
        low, high = self.normalization.low, self.normalization.high
        return None if low is None or high is None else (low, high)

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
        self, mask: Mask, scaled: Size, rng: np.random.Generator
    ) -> tuple[Window, Turning, Mask]:
        """Draw crop and view; again while one class fills the crop, the last draw stands.

        A crop around a pixel of a rare class stands at once.

        Returns:
            Where the crop lies, how it is turned, and the mask seen there.
        """
        augmentation = self.augmentation
        flipped = rng.random() < augmentation.flip
        # Options that are off draw no number, so that adding them changed no earlier run.
        flipped_vertically = (
            augmentation.flip_vertical > 0 and rng.random() < augmentation.flip_vertical
        )
        turns = int(rng.integers(4)) if augmentation.rotate90 else 0
        rare = None
        if augmentation.rare_crop > 0 and rng.random() < augmentation.rare_crop:
            rare = draw_rare_pixel(mask, augmentation.rare_classes, rng)
        crop_height, crop_width = augmentation.crop_size
        crop = (crop_width, crop_height) if turns % 2 else (crop_height, crop_width)
        picture = (mask.shape[0], mask.shape[1])
        for _ in range(CROP_TRIES):
            window = draw_window(picture, scaled, crop, rare, rng)
            cut = window.show(mask, cv2.INTER_NEAREST_EXACT)
            if rare or not dominated_by_one_class(cut, self.ignore_index):
                break
        turning = Turning(flipped, flipped_vertically, turns)
        return window, turning, turning.apply(cut)
