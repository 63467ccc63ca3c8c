"""Masks made visible: overlays, legends, contact sheets and the PNG files they end in.

Every picture here is (H, W, 3) uint8 in RGB, ready to be written or shown.
"""

import io
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from segnext.classes import IGNORE_COLOR, Classes, Color
from segnext.errors import UsageError
from segnext.storage import write_atomically

Picture = npt.NDArray[np.uint8]
Array = npt.NDArray[Any]

_PAPER: Color = (252, 252, 250)
_INK: Color = (38, 40, 44)
_FAINT: Color = (120, 122, 128)
_GAP = 8  # pixels between the pictures of a sheet


def displayable(image: Array) -> Picture:
    """Make any image viewable as 8-bit RGB.

    8-bit grey and RGB keep their values. 16-bit values and images of more than three bands are
    stretched, band by band, from their 2nd to their 98th percentile; the first three bands are
    shown, or the first one in grey where there are fewer.

    Args:
        image: (H, W) or (H, W, C), uint8 or uint16, C >= 1.

    Raises:
        UsageError: The image has another shape or type.
    """
    if image.dtype not in (np.uint8, np.uint16) or image.ndim not in (2, 3) or not image.size:
        msg = f"an image must be (H, W, C), uint8 or uint16, got {image.shape} {image.dtype}"
        raise UsageError(msg)
    bands = image[..., None] if image.ndim == 2 else image
    shown = bands[..., :3] if bands.shape[2] >= 3 else bands[..., :1]
    if image.dtype == np.uint16 or bands.shape[2] > 3:
        shown = np.stack([_stretch(shown[..., band]) for band in range(shown.shape[2])], axis=-1)
    return np.array(np.broadcast_to(shown, (*shown.shape[:2], 3)))


def _stretch(band: Array) -> Picture:
    # A few hundred thousand pixels settle a percentile; satellite scenes have many more.
    step = max(1, round((band.size / 250_000) ** 0.5))
    low, high = np.percentile(band[::step, ::step], (2, 98))
    scaled = (band.astype(np.float32) - low) * (255 / max(high - low, 1))
    return np.asarray(np.clip(np.rint(scaled), 0, 255), np.uint8)


def colorize(mask: Array, classes: Classes, ignore_color: Color = IGNORE_COLOR) -> Picture:
    """Paint train ids in their class colours.

    Args:
        mask: Train ids (H, W); `classes.ignore_index` is allowed.
        classes: Names and colours.
        ignore_color: RGB of ignored pixels.

    Raises:
        UsageError: The mask holds a value that is no train id.
    """
    _check_mask(mask, classes)
    table = np.zeros((classes.ignore_index + 1, 3), np.uint8)
    table[: classes.num_labels] = classes.label_colors
    table[classes.ignore_index] = ignore_color
    return table[mask]


def _check_mask(mask: Array, classes: Classes) -> None:
    if mask.ndim != 2 or not np.issubdtype(mask.dtype, np.integer):
        msg = f"a mask must be (H, W) integers, got {mask.shape} {mask.dtype}"
        raise UsageError(msg)
    wrong = mask[((mask < 0) | (mask >= classes.num_labels)) & (mask != classes.ignore_index)]
    if wrong.size:
        msg = (
            f"the mask holds {wrong[0]}, but train ids run from 0 to {classes.num_labels - 1} "
            f"({classes.ignore_index} is ignored); encode raw masks with Classes.encode"
        )
        raise UsageError(msg)


def overlay(
    image: Array, mask: Array, classes: Classes, *, alpha: float = 0.5, outline: bool = True
) -> Picture:
    """Blend class colours into a picture; ignored pixels stay as they are.

    Args:
        image: (H, W) or (H, W, C), see `displayable`.
        mask: Train ids (H, W).
        classes: Names and colours.
        alpha: Weight of the colour, 0-1. At 0 only boundaries are drawn, and on both sides.
        outline: Draw class boundaries in the plain colour.

    Raises:
        UsageError: Sizes differ, a mask value is no train id, or alpha is out of range.
    """
    if not 0 <= alpha <= 1:
        msg = f"alpha must lie between 0 and 1, got {alpha}"
        raise UsageError(msg)
    if image.shape[:2] != mask.shape:
        msg = f"image and mask differ in size (height, width): {image.shape[:2]} and {mask.shape}"
        raise UsageError(msg)
    picture, colors = displayable(image), colorize(mask, classes)
    blended = cv2.addWeighted(picture, 1 - alpha, colors, alpha, 0)
    if outline:
        edge = _boundaries(mask, both_sides=alpha == 0)
        blended[edge] = colors[edge]
    ignored = mask == classes.ignore_index
    blended[ignored] = picture[ignored]
    return np.asarray(blended)


def _boundaries(mask: Array, *, both_sides: bool) -> npt.NDArray[np.bool_]:
    """Mark the pixels (H, W) beside another label, or one of each two; more in large pictures."""
    edge = np.zeros(mask.shape, np.uint8)
    below, beside = mask[:-1] != mask[1:], mask[:, :-1] != mask[:, 1:]
    edge[:-1] |= below
    edge[:, :-1] |= beside
    thickness = max(1, round(min(mask.shape) / 400))
    if both_sides:
        edge[1:] |= below
        edge[:, 1:] |= beside
        thickness = 2 * thickness - 1
    return np.asarray(cv2.dilate(edge, np.ones((thickness, thickness), np.uint8)), bool)


def legend(
    classes: Classes,
    *,
    present: Sequence[int] | None = None,
    shares: Sequence[float] | Array | None = None,
    height: int | None = None,
    width: int = 200,
    text_size: int = 14,
) -> Picture:
    """Draw a column of colour swatches and class names.

    Args:
        classes: Names and colours.
        present: Train ids to list, in this order; all by default.
        shares: Share 0-1 of the pixels per train id, printed in percent.
        height: Rows of the picture; what does not fit is counted. As high as needed by default.
        width: Columns; longer names are cut.
        text_size: Height of the text, in pixels.
    """
    ids = list(range(classes.num_labels) if present is None else present)
    step, margin = round(text_size * 1.7), text_size
    room = len(ids) if height is None else max(1, (height - 2 * margin) // step)
    rows = height if height is not None else 2 * margin + step * len(ids)
    page = Image.new("RGB", (width, rows), _PAPER)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=text_size)
    listed = ids if len(ids) <= room else ids[: room - 1]
    for index, label in enumerate(listed):
        top, right = margin + index * step, width - margin
        pen.rectangle(
            (margin, top, margin + text_size, top + text_size), classes.label_colors[label]
        )
        middle = top + text_size / 2
        if shares is not None:
            percent = _percent(float(shares[label]))
            pen.text((right, middle), percent, _FAINT, font, anchor="rm")
            right -= round(pen.textlength(percent, font) + text_size / 2)
        left = margin + round(1.6 * text_size)
        name = _fit(pen, font, classes.label_names[label], right - left)
        pen.text((left, middle), name, _INK, font, anchor="lm")
    if len(listed) < len(ids):
        place = (margin, margin + len(listed) * step + text_size / 2)
        pen.text(place, f"and {len(ids) - len(listed)} more", _FAINT, font, anchor="lm")
    return np.asarray(page)


def _percent(share: float) -> str:
    return "< 1 %" if 0 < share < 0.01 else f"{100 * share:.0f} %"


def _fit(pen: ImageDraw.ImageDraw, font: Any, text: str, width: float) -> str:
    """Cut a text so that it is at most `width` pixels long; line breaks become spaces."""
    # Pillow's own font has no accented letters: plain ones read better than empty boxes.
    letters = unicodedata.normalize("NFKD", " ".join(text.split()))
    text = "".join(letter for letter in letters if not unicodedata.combining(letter))
    if pen.textlength(text, font) <= width:
        return text
    while text and pen.textlength(text + "...", font) > width:
        text = text[:-1]
    return text + "..."


def overlay_with_legend(
    image: Array, mask: Array, classes: Classes, *, alpha: float = 0.5
) -> Picture:
    """Return `overlay` with a legend at its right: the classes present, the largest first.

    Small pictures are enlarged by a whole factor, so that the text beside them can be read.

    Raises:
        UsageError: As `overlay`.
    """
    factor = max(1, -(-360 // max(image.shape[0], 1)))
    picture, labels = displayable(image), mask
    if factor > 1 and image.shape[:2] == mask.shape:
        size = (mask.shape[1] * factor, mask.shape[0] * factor)
        picture = _resize(picture, size)
        labels = mask.repeat(factor, axis=0).repeat(factor, axis=1)
    blended = overlay(picture, labels, classes, alpha=alpha)
    counts = np.bincount(mask.reshape(-1), minlength=classes.num_labels)[: classes.num_labels]
    order = [int(label) for label in np.argsort(-counts, kind="stable") if counts[label]]
    text_size = max(14, blended.shape[0] // 32)
    column = legend(
        classes,
        present=order,
        shares=counts / max(mask.size, 1),
        height=blended.shape[0],
        width=text_size * 14,
        text_size=text_size,
    )
    return np.concatenate([blended, column], axis=1)


def _resize(picture: Array, size: tuple[int, int]) -> Array:
    """Resize a picture to (width, height); masks (H, W) keep their labels."""
    if picture.ndim == 2:
        rows, columns = (
            ((np.arange(new) + 0.5) * old / new).astype(int)
            for new, old in zip(size[::-1], picture.shape, strict=True)
        )
        return np.asarray(picture[rows[:, None], columns])
    shrinks = size[0] < picture.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=method))


def contact_sheet(
    rows: Sequence[Sequence[Array]],
    *,
    titles: Sequence[str],
    captions: Sequence[str] | None = None,
    classes: Classes | None = None,
    cell_width: int = 240,
) -> Picture:
    """Lay pictures out like a figure: titled columns, one row per example, a legend below.

    Args:
        rows: As many pictures per row as there are titles. With `classes`, a picture (H, W) is a
            mask of train ids and is coloured; all others are shown by `displayable`.
        titles: One per column.
        captions: One line of text below each row.
        classes: Taxonomy of the masks, listed in the legend; no legend without it.
        cell_width: Columns of each picture.

    Raises:
        UsageError: There are no rows, or a row or the captions have another length.
    """
    if not rows or not titles or any(len(row) != len(titles) for row in rows):
        msg = f"a sheet needs rows of {len(titles)} pictures each, got {[len(row) for row in rows]}"
        raise UsageError(msg)
    if captions is not None and len(captions) != len(rows):
        msg = f"a sheet of {len(rows)} rows needs as many captions, got {len(captions)}"
        raise UsageError(msg)
    width = len(titles) * (cell_width + _GAP) - _GAP
    strips = [_text_strip(titles, cell_width)]
    for index, row in enumerate(rows):
        strips.append(_row_strip(row, cell_width, classes))
        if captions is not None:
            strips.append(_text_strip([captions[index]], width))
    if classes is not None:
        strips.append(_legend_strip(classes, width))
    page = np.concatenate([_pad(strip, bottom=_GAP) for strip in strips])
    return _pad(page, top=_GAP, bottom=2 * _GAP, sides=20)


def _pad(picture: Picture, *, top: int = 0, bottom: int = 0, sides: int = 0) -> Picture:
    return np.asarray(
        cv2.copyMakeBorder(picture, top, bottom, sides, sides, cv2.BORDER_CONSTANT, value=_PAPER)
    )


def _text_strip(texts: Sequence[str], width: int) -> Picture:
    """Write a title above each column of `width` pixels; a single text starts at the left."""
    page = Image.new("RGB", (len(texts) * (width + _GAP) - _GAP, 22), _PAPER)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=15)
    for index, text in enumerate(texts):
        left = index * (width + _GAP)
        place, anchor = (left + width / 2, "mm") if len(texts) > 1 else (left, "lm")
        pen.text((place, 11), _fit(pen, font, text, width), _INK, font, anchor)
    return np.asarray(page)


def _row_strip(row: Sequence[Array], cell_width: int, classes: Classes | None) -> Picture:
    size = (cell_width, max(1, round(cell_width * row[0].shape[0] / row[0].shape[1])))
    page = Image.new("RGB", (len(row) * (cell_width + _GAP) - _GAP, size[1]), _PAPER)
    for index, picture in enumerate(row):
        if classes is not None and picture.ndim == 2:
            cell = colorize(_resize(picture, size), classes)
        else:
            cell = _resize(displayable(picture), size)
        page.paste(Image.fromarray(cell), (index * (cell_width + _GAP), 0))
    return np.asarray(page)


def _legend_strip(classes: Classes, width: int) -> Picture:
    """Draw swatches and names from left to right, in as many lines as they need."""
    font, swatch, line = ImageFont.load_default(size=14), 14, 24
    ruler = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    names = [_fit(ruler, font, name, width - 2 * swatch) for name in classes.label_names]
    places, left, top = [], 0, 0
    for name in names:
        needed = round(1.5 * swatch + ruler.textlength(name, font))
        if left and left + needed > width:
            left, top = 0, top + line
        places.append((left, top))
        left += needed + swatch
    page = Image.new("RGB", (width, top + line), _PAPER)
    pen = ImageDraw.Draw(page)
    for (left, top), name, color in zip(places, names, classes.label_colors, strict=True):
        pen.rectangle((left, top + 5, left + swatch, top + 5 + swatch), color)
        pen.text((left + 1.5 * swatch, top + 5 + swatch / 2), name, _INK, font, "lm")
    return np.asarray(page)


def write_png(path: Path, image: Picture) -> None:
    """Write a picture (H, W, 3) or (H, W), uint8; the file appears complete or not at all."""
    write_atomically(path, encode_png(image))


def encode_png(image: Picture) -> bytes:
    """Return a picture (H, W, 3) or (H, W), uint8, as PNG."""
    return _encode(Image.fromarray(image))


def write_mask_png(path: Path, mask: Array, classes: Classes) -> None:
    """Write train ids (H, W) as PNG, like `write_png`; see `encode_mask_png`.

    Raises:
        UsageError: The mask holds a value that is no train id.
    """
    write_atomically(path, encode_mask_png(mask, classes))


def encode_mask_png(mask: Array, classes: Classes) -> bytes:
    """Return train ids (H, W) as PNG.

    Up to 255 labels: an indexed PNG, whose indices are the train ids and whose palette shows the
    class colours. Above: 16-bit grey values.

    Raises:
        UsageError: The mask holds a value that is no train id.
    """
    _check_mask(mask, classes)
    page = Image.fromarray(mask.astype(classes.mask_dtype))
    if classes.mask_dtype is np.uint8:
        palette = np.full((256, 3), IGNORE_COLOR, np.uint8)
        palette[: classes.num_labels] = classes.label_colors
        page.putpalette(palette.tobytes())
    return _encode(page)


def _encode(page: Image.Image) -> bytes:
    content = io.BytesIO()
    page.save(content, format="PNG")
    return content.getvalue()
