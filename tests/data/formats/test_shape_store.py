import pickle

import numpy as np
import pytest

from segnext.data.formats.shape_store import ShapeCollector, StoredShapes
from segnext.data.shapes import Runs, paint
from segnext.errors import DataError

SQUARE = [0, 0, 4, 0, 4, 4, 0, 4]


def _square(left: float, top: float, side: float) -> list[float]:
    right, bottom = left + side, top + side
    return [left, top, right, top, right, bottom, left, bottom]


def _order(stored: StoredShapes, name: str = "a") -> list[int]:
    return [shape.raw_id for shape in stored[name].shapes]


def test_larger_areas_come_first_then_lower_ranks() -> None:
    shapes = ShapeCollector()
    shapes.add_picture("empty", 5, 5)
    picture = shapes.add_picture("a", 20, 30)
    other = shapes.add_picture("b", 20, 30)
    shapes.add_rings(picture, 1, 9, [_square(0, 0, 2)])
    shapes.add_rings(other, 8, 0, [_square(0, 0, 3)])
    shapes.add_rings(picture, 2, 0, [_square(0, 0, 9)])
    shapes.add_rings(picture, 3, 5, [_square(20.123, 10.7, 2)])
    bitmap = np.zeros((20, 30), bool)
    bitmap[:2, :10] = True
    runs = Runs.from_bitmap(bitmap.T)
    shapes.add_runs(picture, 4, 0, Runs(runs.counts, 20, 30, by_columns=True))
    stored = shapes.finish()
    assert _order(stored) == [2, 4, 3, 1]
    assert _order(stored, "b") == [8]
    assert stored.without_shapes() == {"empty"}
    assert list(stored) == ["empty", "a", "b"]
    assert len(stored) == 3
    np.testing.assert_array_equal(stored["a"].shapes[1].area.fill(20, 30), bitmap)
    assert (stored["empty"].height, stored["empty"].width) == (5, 5)


def test_rings_of_a_shape_are_joined_and_measured_together() -> None:
    shapes = ShapeCollector()
    picture = shapes.add_picture("a", 10, 10)
    shapes.add_rings(picture, 1, 0, [_square(0, 0, 3), _square(2, 2, 3)])  # 18, overlapping
    shapes.add_rings(picture, 2, 0, [_square(1, 1, 4)])  # 16
    shapes.add_rings(picture, 3, 0, [list(reversed(_square(0, 0, 5)))])  # 25, the other way round
    stored = shapes.finish()
    assert _order(stored) == [3, 1, 1, 2]
    found = stored["a"]
    joined = paint(found.shapes[1:3], 10, 10, 0)
    assert joined[2, 2] == 1
    assert (joined == 1).sum() == 17


def test_nothing_at_all() -> None:
    stored = ShapeCollector().finish()
    assert len(stored) == 0
    assert stored.without_shapes() == frozenset()


def test_stored_shapes_can_be_sent_to_workers() -> None:
    shapes = ShapeCollector()
    shapes.add_rings(shapes.add_picture("a", 4, 4), 1, 0, [SQUARE])
    copy = pickle.loads(pickle.dumps(shapes.finish()))
    assert paint(copy["a"].shapes, 4, 4, 0).all()


def test_far_rings_keep_their_area() -> None:
    shapes = ShapeCollector()
    picture = shapes.add_picture("a", 4, 4)
    shapes.add_rings(picture, 1, 1, [_square(0, 0, 2)])
    shapes.add_rings(picture, 2, 0, [_square(9e8, 9e8, 2)])
    assert _order(shapes.finish()) == [2, 1]


@pytest.mark.parametrize(
    ("ring", "message"),
    [
        ([0, 0, 4, 0, 4], r"three or more, not 5 numbers"),
        ([0, 0, 4, 0], r"three or more, not 4 numbers"),
        ([], r"not 0 numbers"),
        (["a"] * 6, r"must be a list of numbers"),
        ("123456", r"must be a list of numbers"),
        ([None] * 6, r"must be a list of numbers"),
        ([[0, 0]] * 6, r"must be a list of numbers"),
        ([10**400] * 6, r"must be a list of numbers"),
        ([0, 0, 4, 0, 4, float("nan")], r"no position in a picture"),
        ([0, 0, 4, 0, float("inf"), -float("inf")], r"no position in a picture"),
        ([0, 0, 4, 0, 4, -1e10], r"no position in a picture"),
    ],
)
def test_malformed_rings(ring: list[float], message: str) -> None:
    shapes = ShapeCollector()
    picture = shapes.add_picture("a", 4, 4)
    with pytest.raises(DataError, match=message):
        shapes.add_rings(picture, 1, 0, [ring])


@pytest.mark.parametrize("size", [(0, 4), (4, -1), (1 << 20, 1 << 20)])
def test_impossible_sizes(size: tuple[int, int]) -> None:
    with pytest.raises(DataError, match=r"is no size of a picture"):
        ShapeCollector().add_picture("a", *size)
