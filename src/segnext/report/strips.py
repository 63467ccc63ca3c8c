"""Small pictures for a page: image, truth, prediction and error side by side."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segnext.classes import Classes, Mask
from segnext.drawing import Picture, displayable, overlay

# Of the longer side: four beside each other fill a page.
LONG_SIDE = 256
_QUALITY = 78
_WRONG = (213, 60, 0)
_RIGHT = (0, 158, 115)
_BOX = (255, 225, 0)


@dataclass(frozen=True)
class Strip:
    """Small pictures of one size.

    Attributes:
        width: Of each [px].
        height: Of each [px].
        pictures: JPEG as data URLs, by title.
    """

    width: int
    height: int
    pictures: Mapping[str, str]


def pack_mask(mask: Mask) -> bytes:
    """Return a mask of train ids (H, W) at the size of a strip, as a few kilobytes of PNG."""
    _, content = cv2.imencode(".png", _shrink_mask(mask))
    return content.tobytes()


def unpack_mask(packed: bytes) -> Mask:
    """Return what `pack_mask` packed."""
    mask = cv2.imdecode(np.frombuffer(packed, np.uint8), cv2.IMREAD_UNCHANGED)
    return np.asarray(mask)


def draw_strip(
    image: npt.NDArray[Any],
    truth: Mask,
    prediction: Mask,
    classes: Classes,
    *,
    box: tuple[int, int, int, int] | None = None,
    cell: tuple[int, int] | None = None,
) -> Strip:
    """Draw a picture, its truth, its prediction and its errors.

    Args:
        image: (H, W, C).
        truth: Train ids (H, W).
        prediction: At the size of a strip, from `unpack_mask`.
        classes: Names and colours.
        box: Left, top, width, height of a frame to draw, in pixels of the image.
        cell: Truth and prediction; only such errors are marked.
    """
    small, small_truth = _shrink(displayable(image)), _shrink_mask(truth)
    wrong = (small_truth != prediction) & (small_truth != classes.ignore_index)
    if cell is not None:
        wrong = (small_truth == cell[0]) & (prediction == cell[1])
    pictures = {
        "image": small,
        "truth": overlay(small, small_truth, classes, alpha=0.75),
        "prediction": overlay(small, prediction, classes, alpha=0.75),
        "error": _mark(small, {_WRONG: wrong}),
    }
    if box is not None:
        for picture in pictures.values():
            _frame(picture, box, image.shape[1])
    return _encode(pictures)


def draw_change(
    image: npt.NDArray[Any], truth: Mask, first: Mask, second: Mask, classes: Classes
) -> Strip:
    """Draw a picture, its truth, two predictions, and where only one of them is right.

    Args:
        image: (H, W, C).
        truth: Train ids (H, W).
        first: By the first model, from `unpack_mask`.
        second: By the second model, from `unpack_mask`.
        classes: Names and colours.
    """
    small, small_truth = _shrink(displayable(image)), _shrink_mask(truth)
    counted = small_truth != classes.ignore_index
    first_right, second_right = first == small_truth, second == small_truth
    return _encode(
        {
            "image": small,
            "truth": overlay(small, small_truth, classes, alpha=0.75),
            "first": overlay(small, first, classes, alpha=0.75),
            "second": overlay(small, second, classes, alpha=0.75),
            "change": _mark(
                small,
                {
                    _WRONG: counted & first_right & ~second_right,
                    _RIGHT: counted & second_right & ~first_right,
                },
            ),
        }
    )


def _small_size(shape: tuple[int, ...]) -> tuple[int, int]:
    factor = min(1.0, LONG_SIDE / max(shape[:2]))
    return max(1, round(shape[1] * factor)), max(1, round(shape[0] * factor))


def _shrink(picture: Picture) -> Picture:
    size = _small_size(picture.shape)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def _shrink_mask(mask: Mask) -> Mask:
    return np.asarray(cv2.resize(mask, _small_size(mask.shape), interpolation=cv2.INTER_NEAREST))


def _mark(picture: Picture, marks: Mapping[tuple[int, int, int], npt.NDArray[np.bool_]]) -> Picture:
    """Paint regions over the picture in faint grey."""
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    marked = np.asarray(cv2.addWeighted(grey, 0.45, np.full_like(grey, 235), 0.55, 0))
    for color, region in marks.items():
        marked[region] = color
    return marked


def _frame(picture: Picture, box: tuple[int, int, int, int], width: int) -> None:
    factor = picture.shape[1] / width
    left, top, wide, high = (round(side * factor) for side in box)
    corner = left + max(wide, 1) + 1, top + max(high, 1) + 1
    cv2.rectangle(picture, (left - 2, top - 2), corner, (0, 0, 0), 3)
    cv2.rectangle(picture, (left - 2, top - 2), corner, _BOX, 1)


def _encode(pictures: Mapping[str, Picture]) -> Strip:
    height, width = next(iter(pictures.values())).shape[:2]
    encoded = {}
    for title, picture in pictures.items():
        bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        _, content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        text = base64.b64encode(content.tobytes()).decode("ascii")
        encoded[title] = f"data:image/jpeg;base64,{text}"
    return Strip(width, height, encoded)
