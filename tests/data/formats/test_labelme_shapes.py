import base64
import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from segnext.data.formats.labelme_shapes import read_areas
from segnext.errors import DataError

BITMAP = np.array([[1, 0, 1], [1, 1, 0]], bool)


def encode(bitmap: np.ndarray) -> str:
    """Return a bitmap as LabelMe stores it."""
    data = io.BytesIO()
    with Image.fromarray(bitmap) as picture:
        picture.save(data, format="PNG")
    return base64.b64encode(data.getvalue()).decode()


def _shape(kind: str | None, points: Any, **fields: Any) -> dict[str, Any]:
    return {"label": "a", "points": points, "shape_type": kind, "group_id": 3, **fields}


def _fill(*shapes: Any) -> tuple[list[np.ndarray], Counter[str]]:
    skipped: Counter[str] = Counter()
    areas = list(read_areas(shapes, Path("a.json"), skipped))
    return [area.area.fill(8, 8) for area in areas], skipped


def test_outlines() -> None:
    triangle = [[0, 0], [8, 0], [0, 8]]
    filled, _ = _fill(_shape("polygon", triangle), _shape(None, triangle))
    assert filled[0].sum() == 28  # centres on the long edge are outside
    np.testing.assert_array_equal(filled[0], filled[1])
    old = {"label": "a", "points": triangle}
    np.testing.assert_array_equal(_fill(old)[0][0], filled[0])


@pytest.mark.parametrize("points", [[[1, 2], [5, 4]], [[5, 4], [1, 2]], [[1, 4], [5, 2]]])
def test_rectangles_by_any_two_corners(points: list[list[float]]) -> None:
    expected = np.zeros((8, 8), bool)
    expected[2:4, 1:5] = True
    np.testing.assert_array_equal(_fill(_shape("rectangle", points))[0][0], expected)
    four = [[1, 2], [5, 2], [5, 4], [1, 4]]
    for kind in ("rectangle", "rotation"):
        np.testing.assert_array_equal(_fill(_shape(kind, four))[0][0], expected)


def test_circles_by_centre_and_a_point_on_them() -> None:
    filled = _fill(_shape("circle", [[4, 4], [4, 6]]))[0][0]
    assert filled.sum() == 12
    assert filled[2, 3:5].all()
    assert not filled[2, 2]


@pytest.mark.parametrize("bitmap", [BITMAP, BITMAP.astype(np.uint8), BITMAP * np.uint8(255)])
def test_masks_lie_in_their_box(bitmap: np.ndarray) -> None:
    expected = np.zeros((8, 8), bool)
    expected[4:6, 2:5] = BITMAP
    shape = _shape("mask", [[2.0, 4.0], [4.0, 5.0]], mask=encode(bitmap))
    np.testing.assert_array_equal(_fill(shape)[0][0], expected)


def test_what_has_no_area_is_counted() -> None:
    filled, skipped = _fill(
        _shape("point", [[1, 1]]),
        _shape("linestrip", [[1, 1], [2, 2], [3, 3]]),
        _shape("point", [[2, 2]]),
        _shape("polygon", [[1, 1], [2, 2]]),
        _shape("polygon", []),
    )
    assert filled == []
    assert skipped == {"point": 2, "linestrip": 1, "polygon of fewer than three points": 2}


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ("x", r"a\.json: shape 1 has no label"),
        ({"label": 3, "points": []}, r"shape 1 has no label"),
        ({"label": "a"}, r"shape 1 has no points"),
        (_shape("cuboid", [[0, 0]]), r"has the shape_type 'cuboid'; understood are polygon"),
        ({"label": "a", "points": [], "shape_type": ["a"]}, r"has the shape_type .*a"),
        (_shape("rectangle", [[0, 0]]), r"a rectangle has two points, not 1"),
        (_shape("circle", [[0, 0]] * 3), r"a circle has two points, not 3"),
        (_shape("polygon", [[0, 0], [1, 1], [2]]), r"shape 1: a polygon's points must be pairs"),
        (_shape("polygon", [[0, 0], [1, 1], [2, None]]), r"points must be pairs of numbers"),
        (_shape("polygon", [[0, 0], [1, 1], [2, 1e300]]), r"is no position in a picture"),
        (_shape("mask", [[0, 0], [1, 1]]), r"its mask is no picture in base64"),
        (_shape("mask", [[0, 0], [1, 1]], mask="%%%"), r"its mask is no picture in base64"),
        (_shape("mask", [[0, 0], [1, 1]], mask="aGFsbG8="), r"mask is broken \(not a JPEG, PNG"),
        (_shape("mask", [[0, 0], [7, 7]], mask=encode(BITMAP)), r"3x2 .* to 7,7 needs 8x8"),
    ],
)
def test_malformed_shapes(shape: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        _fill(shape)
