import numpy as np
import pytest

from segnext.data.formats.cvat_shapes import WITH_AREA, read_area
from segnext.errors import DataError


def bounds(kind: str, **attributes: str) -> tuple[int, int, int, int]:
    """Return first and last row, first and last column of a shape on 12 x 16 pixels."""
    rows, columns = np.nonzero(read_area(kind, attributes, "x").fill(12, 16))
    return int(rows.min()), int(rows.max()), int(columns.min()), int(columns.max())


def test_polygon() -> None:
    assert bounds("polygon", points="2.00,1.00;6.00,1.00;6.00,4.00;2.00,4.00") == (1, 3, 2, 5)


def test_boxes_turn_clockwise_about_their_centre() -> None:
    place = {"xtl": "4.0", "ytl": "5.0", "xbr": "12.0", "ybr": "7.0"}
    assert bounds("box", **place) == (5, 6, 4, 11)
    assert bounds("box", **place, rotation="90.0") == (2, 9, 7, 8)
    turned = read_area("box", {**place, "rotation": "30"}, "x").fill(12, 16)
    # The right end has sunk.
    assert turned[7, 10]
    assert not turned[4, 10]


def test_ellipses_turn_clockwise_about_their_centre() -> None:
    place = {"cx": "8", "cy": "6", "rx": "5", "ry": "2"}
    assert bounds("ellipse", **place) == (4, 7, 3, 12)
    assert bounds("ellipse", **place, rotation="90") == (1, 10, 6, 9)


def test_masks_are_runs_along_the_rows_of_a_box() -> None:
    attributes = {"rle": "1, 2, 1, 2", "left": "3", "top": "2", "width": "3", "height": "2"}
    filled = read_area("mask", attributes, "x").fill(5, 8)
    assert np.argwhere(filled).tolist() == [[2, 4], [2, 5], [3, 4], [3, 5]]


@pytest.mark.parametrize(
    ("kind", "attributes", "message"),
    [
        ("polygon", {}, r"points must be pairs of numbers"),
        ("polygon", {"points": "1,2;3,4"}, r"needs three points or more, not 2"),
        ("polygon", {"points": "1,2;3,4;nan,0"}, r"no position in a picture"),
        ("box", {"xtl": "1", "ytl": "1", "xbr": "2"}, r"ybr must be a number, not None"),
        ("ellipse", {"cx": "1", "cy": "x", "rx": "1", "ry": "2"}, r"cy must be a number, not 'x'"),
        ("mask", {"rle": "1,x"}, r"rle must be whole numbers with commas between"),
        ("mask", {"rle": str(10**30)}, r"rle must be whole numbers"),
        ("mask", {}, r"rle must be whole numbers"),
        ("mask", {"rle": "1,2"}, r"rle does not add up to the 2 x 2 pixels"),
        ("mask", {"rle": "-1,5"}, r"rle does not add up"),
        ("mask", {"rle": "4", "width": "0"}, r"0 x 2 is no size of a mask"),
        ("mask", {"rle": "4", "width": "99999", "height": "99999"}, r"99999 x 99999 is no size"),
    ],
)
def test_broken_shapes(kind: str, attributes: dict[str, str], message: str) -> None:
    place = {"left": "0", "top": "0", "width": "2", "height": "2"} if kind == "mask" else {}
    with pytest.raises(DataError, match=f"^here: .*{message}"):
        read_area(kind, place | attributes, "here")


def test_what_covers_an_area() -> None:
    assert {"polygon", "box", "ellipse", "mask"} == WITH_AREA
