"""Pictures in any form to what a model takes of them: arrays and tensors are not copied.

Shapes: B batch, C channels, H and W height and width.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageOps
import torch
from torch import Tensor

from segnext.data import read_image
from segnext.data.images import Image
from segnext.errors import UsageError

Photo = str | Path | PIL.Image.Image | npt.NDArray[Any] | Tensor


def read_photo(photo: Photo, channels: int) -> Image:
    """Turn any accepted form of a picture into (H, W, C); see `Predictor.read`.

    Raises:
        DataError: A file cannot be read.
        UsageError: An array or tensor has another shape, type, range or channel count.
    """
    if isinstance(photo, str | Path):
        return read_image(Path(photo), channels)
    if isinstance(photo, PIL.Image.Image):
        return _fit_channels(_from_pil(photo, channels), channels)
    if isinstance(photo, Tensor):
        return _fit_channels(_from_tensor(photo), channels)
    if isinstance(photo, np.ndarray):
        return _fit_channels(photo, channels)
    msg = f"a picture is a path, a PIL image, an array or a tensor, not {type(photo).__name__}"
    raise UsageError(msg)


def split_batch(images: Tensor, channels: int, device: torch.device) -> list[Tensor]:
    """Return the pictures of a batch as views (H, W, C) of it.

    Args:
        images: (B, C, H, W), uint8 or floating with values 0-1.
        channels: C of the model.
        device: Where the model lies, and the batch must lie.

    Raises:
        UsageError: The batch has another shape, type, range, channel count or device.
    """
    if images.ndim != 4 or not images.numel() or not _holds_pixels(images):
        msg = (
            f"a batch must be (B, C, H, W), uint8 or floats in 0-1, got {tuple(images.shape)} "
            f"{images.dtype}"
        )
        raise UsageError(msg)
    if images.shape[1] != channels:
        msg = f"the pictures have {images.shape[1]} channels, the model was trained on {channels}"
        raise UsageError(msg)
    # A device without a number is the current one, which what is made there knows.
    if images.device != torch.empty(0, device=device).device:
        msg = (
            f"the batch lies on {images.device}, the model on {device}; "
            f"give Predictor device={str(images.device)!r}, or move the batch"
        )
        raise UsageError(msg)
    images = images.detach()
    if images.dtype != torch.uint8:
        _check_range(images)
    return list(images.permute(0, 2, 3, 1))


def _holds_pixels(images: Tensor) -> bool:
    return images.dtype == torch.uint8 or images.is_floating_point()


def _check_range(images: Tensor) -> None:
    low, high = (float(end) for end in images.aminmax())
    if not (low >= 0 and high <= 1):
        msg = f"a tensor must hold values in 0-1, not normalised; got {low:.3g} to {high:.3g}"
        raise UsageError(msg)


def _from_pil(photo: PIL.Image.Image, channels: int) -> npt.NDArray[Any]:
    upright = PIL.ImageOps.exif_transpose(photo)
    if upright.mode.startswith("I;16"):
        return np.asarray(upright, dtype=np.uint16)
    return np.asarray(upright.convert("L" if channels == 1 else "RGB"))


def _from_tensor(photo: Tensor) -> npt.NDArray[Any]:
    if photo.ndim != 3 or not _holds_pixels(photo):
        msg = (
            f"a tensor must be (C, H, W), uint8 or floats in 0-1, got {tuple(photo.shape)} "
            f"{photo.dtype}"
        )
        raise UsageError(msg)
    pixels = photo.detach().cpu().permute(1, 2, 0)
    if photo.dtype == torch.uint8:
        return pixels.numpy()
    _check_range(pixels)
    # 16 bits keep what a float picture holds beyond 8.
    scaled = (pixels.double() * 65535).round()
    return scaled.to(torch.int32).numpy().astype(np.uint16)


def _fit_channels(image: npt.NDArray[Any], channels: int) -> Image:
    if image.dtype not in (np.uint8, np.uint16) or image.ndim not in (2, 3):
        msg = f"an array must be (H, W, C), uint8 or uint16, got {image.shape} {image.dtype}"
        raise UsageError(msg)
    fitted: Image = image[:, :, None] if image.ndim == 2 else image
    if fitted.shape[2] == 1 and channels == 3:
        fitted = np.concatenate([fitted, fitted, fitted], axis=2)
    if fitted.shape[2] != channels:
        msg = f"the picture has {fitted.shape[2]} channels, the model was trained on {channels}"
        raise UsageError(msg)
    return fitted
