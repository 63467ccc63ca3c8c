import base64
import io

import numpy as np
import PIL.Image
import pytest

from reports import CLASSES, MadeUp
from segnext.report.strips import (
    LONG_SIDE,
    draw_change,
    draw_strip,
    pack_mask,
    unpack_mask,
)


def pixels(url: str) -> np.ndarray:
    head, content = url.split(",")
    assert head == "data:image/jpeg;base64"
    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(content)))).astype(int)


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 254), (np.uint16, 400)])
def test_masks_come_back_small(dtype: type, top: int) -> None:
    mask = np.zeros((LONG_SIDE // 2, LONG_SIDE * 2), dtype)
    mask[:, LONG_SIDE:] = top
    small = unpack_mask(pack_mask(mask))
    assert small.shape == (LONG_SIDE // 4, LONG_SIDE)
    assert small.dtype == dtype
    assert np.unique(small).tolist() == [0, top]
    same = unpack_mask(pack_mask(mask[:40, :60]))
    assert np.array_equal(same, mask[:40, :60])


def is_marked(picture: np.ndarray) -> np.ndarray:
    return picture[..., 0] - picture[..., 2] > 120


def test_errors_are_marked_where_they_are() -> None:
    item, seen = MadeUp()[16], MadeUp().seen(16)
    strip = draw_strip(item["image"], item["mask"], seen.mask, CLASSES)
    assert list(strip.pictures) == ["image", "truth", "prediction", "error"]
    assert (strip.width, strip.height) == (60, 40)
    marked = is_marked(pixels(strip.pictures["error"]))
    assert marked[14, 30]  # tree taken for sky
    assert not marked[35, 30]
    assert not marked[:, :2].any()  # ignored


def test_a_cell_marks_its_own_errors_and_a_box_frames() -> None:
    item, seen = MadeUp()[16], MadeUp().seen(16)
    seen.mask[35:, 50:] = 1
    for cell, tree, road in (((1, 2), True, False), ((0, 1), False, True)):
        strip = draw_strip(item["image"], item["mask"], seen.mask, CLASSES, cell=cell)
        marked = is_marked(pixels(strip.pictures["error"]))
        assert (marked[14, 30], marked[38, 55]) == (tree, road)
    framed = draw_strip(item["image"], item["mask"], seen.mask, CLASSES, box=(20, 10, 20, 16))
    plain = draw_strip(item["image"], item["mask"], seen.mask, CLASSES)
    moved = abs(pixels(framed.pictures["image"]) - pixels(plain.pictures["image"])).sum(-1) > 90
    assert moved[8, 30]
    assert not moved[18, 30]


def test_a_change_says_who_is_right() -> None:
    images = MadeUp()
    item, one, other = images[0], images.seen(16), images.seen(0)
    strip = draw_change(item["image"], item["mask"], one.mask, other.mask, CLASSES)
    assert list(strip.pictures) == ["image", "truth", "first", "second", "change"]
    red, green, _ = pixels(strip.pictures["change"])[14, 30]
    assert green > red + 80  # the second is right
    turned = draw_change(item["image"], item["mask"], other.mask, one.mask, CLASSES)
    assert is_marked(pixels(turned.pictures["change"]))[14, 30]
