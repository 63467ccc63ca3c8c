"""Training augmentation: one warp, one table.

Scale, crop, flips and quarter turns are one affine matrix applied once to the image and once to
the mask, and only the pixels of the crop are ever computed. Coordinates are half-pixel centred:
output pixel x shows the source at (x + 0.5) / scale - 0.5, for image and mask alike. The order of
operations is that of the paper's configurations (scale, crop, flip, photometric distortion,
normalisation, padding).

Shapes: H and W height and width of the source, C channels.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segnext.classes import Mask
from segnext.data.images import Image
from segnext.data.photometric import Limits, distort
from segnext.errors import UsageError
from segnext.spec import Normalization

CROP_TRIES = 10
MAX_CLASS_SHARE = 0.75


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
    image: Image, normalization: Normalization, missing: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.float32]:
    """Scale (H, W, C) to 0-1 by its depth, clip, subtract the mean, divide by the std.

    Args:
        image: 8 or 16 bit.
        normalization: Of as many channels.
        missing: (H, W), true where nothing was observed, for images whose values no longer tell
            because they were resampled or distorted; by default `nodata_pixels` of the image.

    Returns:
        (H, W, C) float32; 0 where nothing was observed.
    """
    mean = np.asarray(normalization.mean, dtype=np.float32)
    std = np.asarray(normalization.std, dtype=np.float32)
    scaled = image.astype(np.float32) / np.float32(full_scale(image))
    if normalization.low is not None and normalization.high is not None:
        low, high = np.array((normalization.low, normalization.high), dtype=np.float32)
        np.clip(scaled, low, high, out=scaled)
    normalized = (scaled - mean) / std
    if normalization.nodata is not None:
        normalized[nodata_pixels(image, normalization.nodata) if missing is None else missing] = 0
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
            Image (C, crop height, crop width) float32 and mask (crop height, crop width) int64.
        """
        normalization = self.normalization
        missing = None
        if normalization.nodata is not None:
            missing = nodata_pixels(image, normalization.nodata)
            mask = np.where(missing, mask.dtype.type(self.ignore_index), mask)
        height, width = mask.shape
        scaled = self._draw_scaled_size(height, width, rng)
        matrix, size, cut = self._draw_crop(mask, scaled, rng)
        seen = warp(image, matrix, size, cv2.INTER_LINEAR)
        if missing is not None:
            missing = warp(missing.view(np.uint8), matrix, size, cv2.INTER_NEAREST).view(np.bool_)
        if self.augmentation.photometric:
            seen = distort(seen, rng, limits=self._limits(), hue=self.augmentation.hue)
        crop_height, crop_width = self.augmentation.crop_size
        padded = np.zeros((image.shape[2], crop_height, crop_width), dtype=np.float32)
        normalized = normalize(seen, normalization, missing)
        padded[:, : size[0], : size[1]] = normalized.transpose(2, 0, 1)
        target = np.full(self.augmentation.crop_size, self.ignore_index, dtype=np.int64)
        target[: size[0], : size[1]] = cut
        return padded, target

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
        self, mask: Mask, scaled: tuple[int, int], rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.float64], tuple[int, int], Mask]:
        """Draw crop and view; again while one class fills the crop, the last draw stands.

        A crop around a pixel of a rare class stands at once.

        Returns:
            The output-to-source matrix, the (height, width) that lies inside the picture, and
            the mask there.
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
        if turns % 2:
            crop_height, crop_width = crop_width, crop_height
        size = min(scaled[0], crop_height), min(scaled[1], crop_width)
        turned = (size[1], size[0]) if turns % 2 else size
        starts = [
            _start_range(mask.shape[axis], scaled[axis], size[axis], rare[axis] if rare else None)
            for axis in (0, 1)
        ]
        for _ in range(CROP_TRIES):
            top, left = (int(rng.integers(*start)) for start in starts)
            matrix = crop_matrix(
                mask.shape,
                scaled,
                (top, left),
                size,
                flipped=flipped,
                flipped_vertically=flipped_vertically,
                turns=turns,
            )
            cut: Any = warp(mask, matrix, turned, cv2.INTER_NEAREST)
            if rare or not dominated_by_one_class(cut, self.ignore_index):
                break
        return matrix, turned, cut


def draw_rare_pixel(
    mask: Mask, rare_classes: tuple[int, ...], rng: np.random.Generator
) -> tuple[int, int] | None:
    """Draw one of the rare classes in a mask (H, W), then one of its pixels, both uniformly.

    Returns:
        Row and column, or `None` where the mask shows no rare class.
    """
    found = [ours for label in rare_classes if (ours := mask == label).any()]
    if not found:
        return None
    ours = found[int(rng.integers(len(found)))]
    # Counting by rows finds the pixel without a list of all of them, which may be millions.
    until = np.cumsum(np.count_nonzero(ours, axis=1))
    number = int(rng.integers(until[-1]))
    row = int(np.searchsorted(until, number, side="right"))
    before = int(until[row - 1]) if row else 0
    return row, int(np.flatnonzero(ours[row])[number - before])


def _start_range(source: int, scaled: int, size: int, pixel: int | None) -> tuple[int, int]:
    """Return where, along one side, a crop may start: the first place and the one after the last.

    Args:
        source: Length of the picture's side.
        scaled: Length it is resized to.
        size: Length of the crop.
        pixel: Of the picture, which must lie in the crop; `None` leaves the crop free.
    """
    if pixel is None:
        return 0, scaled - size + 1
    place = int((pixel + 0.5) * scaled / source)
    return max(0, place - size + 1), min(place, scaled - size) + 1


def crop_matrix(
    source: tuple[int, ...],
    scaled: tuple[int, int],
    corner: tuple[int, int],
    size: tuple[int, int],
    *,
    flipped: bool,
    flipped_vertically: bool = False,
    turns: int = 0,
) -> npt.NDArray[np.float64]:
    """Compose resize, crop, flips and turn into one matrix from output to source pixels.

    Args:
        source: Height and width of the picture.
        scaled: Height and width it would be resized to.
        corner: Top and left of the crop in the resized picture.
        size: Height and width of the crop before it is turned.
        flipped: Mirror the crop left to right.
        flipped_vertically: Mirror it top to bottom.
        turns: Then turn it by 90 degrees to the left so many times, as `np.rot90` does.

    Returns:
        (2, 3): source (x, y) = matrix @ (output x, output y, 1), centres at half pixels.
    """
    step_y, step_x = source[0] / scaled[0], source[1] / scaled[1]
    start_y = (corner[0] + 0.5) * step_y - 0.5
    start_x = (corner[1] + 0.5) * step_x - 0.5
    if flipped:
        start_x += (size[1] - 1) * step_x
        step_x = -step_x
    if flipped_vertically:
        start_y += (size[0] - 1) * step_y
        step_y = -step_y
    matrix = np.array([[step_x, 0.0, start_x], [0.0, step_y, start_y]])
    height, width = size
    for _ in range(turns):
        # Pixel (x, y) of the turned crop is pixel (width - 1 - y, x) of the crop before the turn.
        matrix = matrix @ np.array([[0.0, -1.0, width - 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        height, width = width, height
    return matrix


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
