import numpy as np
import pytest

from segnext.data.shapes import (
    Ellipse,
    Polygon,
    Runs,
    Shape,
    build_box,
    build_ring,
    paint,
    turn_ring,
)
from segnext.errors import DataError


def ring(*points: tuple[float, float]) -> Polygon:
    return Polygon((build_ring(points, "a.json"),))


def test_pixels_whose_centre_is_inside() -> None:
    box = build_box(1, 1, 3, 2).fill(4, 5)
    assert np.argwhere(box).tolist() == [[1, 1], [1, 2]]
    assert build_box(0.4, 0.4, 1.6, 0.6).fill(2, 3).tolist() == [[True, True, False], [False] * 3]
    assert not build_box(0.6, 0.6, 1.4, 1.4).fill(3, 3).any()


def test_areas_that_share_edges_neither_overlap_nor_leave_gaps() -> None:
    corners = np.random.default_rng(0).uniform(-3, 23, (200, 3, 2))
    for a, b, c in corners:
        middle = (a + b + c) / 3
        whole = ring(a, b, c).fill(20, 20)
        parts = [ring(p, q, middle).fill(20, 20) for p, q in ((a, b), (b, c), (c, a))]
        np.testing.assert_array_equal(np.sum(parts, axis=0), whole)


def test_a_polygon_agrees_with_a_point_in_polygon_test() -> None:
    points = np.random.default_rng(1).uniform(0, 16, (7, 2))
    filled = ring(*points).fill(16, 16)
    for row in range(16):
        for column in range(16):
            x, y, inside = column + 0.5, row + 0.5, False
            for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, 0), strict=True):
                if (y0 > y) != (y1 > y) and x > x0 + (y - y0) * (x1 - x0) / (y1 - y0):
                    inside = not inside
            assert filled[row, column] == inside


def test_holes_and_parts_beyond_the_picture() -> None:
    outer, hole = build_box(-5, -5, 9, 9).rings[0], build_box(1, 1, 3, 3).rings[0]
    filled = Polygon((outer, hole)).fill(4, 4)
    assert filled.sum() == 12
    assert not filled[1:3, 1:3].any()
    assert not ring((50, 50), (60, 50), (60, 60)).fill(4, 4).any()


def test_centres_on_an_edge_belong_to_what_is_right_or_below() -> None:
    box = build_box(1.5, 0.5, 3.5, 2.5).fill(4, 5)
    assert np.argwhere(box).tolist() == [[0, 1], [0, 2], [1, 1], [1, 2]]
    # All centres of the diagonal, at whatever length a division meets them.
    for size in range(2, 90):
        lower = ring((0, 0), (size, size), (0, size)).fill(size, size)
        upper = ring((0, 0), (size, 0), (size, size)).fill(size, size)
        np.testing.assert_array_equal(upper, np.triu(np.ones((size, size), np.bool_)))
        np.testing.assert_array_equal(lower, ~upper)


@pytest.mark.parametrize("scale", [97, 1 / 97, 1 / 100, 1 / 3840])
def test_coordinates_that_were_shares_of_a_size_fill_the_same_pixels(scale: float) -> None:
    points = np.random.default_rng(3).integers(-4, 44, (300, 4, 2)) / 2
    for corners in points:
        there_and_back = [(round(x * scale, 14) / scale, y * scale / scale) for x, y in corners]
        np.testing.assert_array_equal(
            ring(*there_and_back).fill(20, 20), ring(*map(tuple, corners)).fill(20, 20)
        )


def test_a_round_ellipse_is_a_circle_however_it_is_turned() -> None:
    assert Ellipse(2, 2, 1, 1).fill(4, 4).sum() == 4
    down, right = np.mgrid[:10, :12] + 0.5
    circle = (down - 4.75) ** 2 + (right - 6.25) ** 2 < 3.125**2
    for degrees in (0, 30, 211):
        filled = Ellipse(6.25, 4.75, 3.125, 3.125, degrees).fill(10, 12)
        np.testing.assert_array_equal(filled, circle)


def test_centres_on_the_edge_of_an_ellipse_are_outside() -> None:
    # 3, 4 and 5: twelve centres lie on the circle.
    down, right = np.mgrid[:12, :12] + 0.5
    square = (down - 5.5) ** 2 + (right - 5.5) ** 2
    assert (square == 25).sum() == 12
    for degrees in (0, 90, 30):
        filled = Ellipse(5.5, 5.5, 5, 5, degrees).fill(12, 12)
        np.testing.assert_array_equal(filled, square < 25)


def test_an_ellipse_turns_clockwise_about_its_centre() -> None:
    lying = Ellipse(5, 4, 4, 1).fill(9, 11)
    assert np.argwhere(lying).min(axis=0).tolist() == [3, 2]
    upright = Ellipse(4, 5, 4, 1, 90).fill(11, 9)
    np.testing.assert_array_equal(upright, lying.T)
    falling = Ellipse(5, 5, 5, 1, 45).fill(10, 10)
    assert falling[2, 2]
    assert not falling[7, 2]
    assert not Ellipse(4, 4, 0, 3).fill(8, 8).any()


def test_rings_turn_clockwise_about_a_pivot() -> None:
    box = build_box(2, 1, 6, 3).rings[0]
    quarter = turn_ring(box, 2, 1, 90)
    assert quarter.tolist() == [[2, 1], [2, 5], [0, 5], [0, 1]]
    np.testing.assert_allclose(turn_ring(turn_ring(box, 4, 2, 30), 4, 2, -30), box, atol=1e-12)


@pytest.mark.parametrize("first", [0, 1])
def test_runs_round_trip(first: int) -> None:
    bitmap = np.random.default_rng(2).integers(0, 2, (5, 7))
    bitmap[0, 0] = first
    np.testing.assert_array_equal(Runs.from_bitmap(bitmap).fill(5, 7), bitmap == 1)
    down = Runs(Runs.from_bitmap(bitmap.T).counts, 5, 7, by_columns=True)
    np.testing.assert_array_equal(down.fill(5, 7), bitmap == 1)


def test_runs_are_placed_and_cut() -> None:
    full = np.ones((3, 3))
    assert np.argwhere(Runs.from_bitmap(full, left=3, top=-2).fill(4, 4)).tolist() == [[0, 3]]
    assert not Runs.from_bitmap(np.ones((9, 9)), left=6, top=5).fill(4, 4).any()
    assert not Runs.from_bitmap(full, left=-9).fill(4, 4).any()
    assert Runs.from_bitmap(full, left=-1, top=1).fill(3, 3).sum() == 4


@pytest.mark.parametrize("counts", [[3, 4], [10**15, 5], [-1, 10], []])
def test_runs_that_lie_about_their_size(counts: list[int]) -> None:
    with pytest.raises(DataError, match=r"run lengths cover .* pixels, not 3 x 3"):
        Runs(np.array(counts, np.int64), 3, 3).fill(3, 3)


def test_later_shapes_cover_earlier_ones() -> None:
    shapes = [Shape(2, build_box(0, 0, 2, 1)), Shape(1, build_box(1, 0, 3, 1))]
    assert paint(shapes, 1, 4, 7).tolist() == [[2, 1, 1, 7]]


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([(0, 0), (1, 1)], "needs three points or more, not 2"),
        ([(0, 0), (1, 1), ("a", 2)], "pairs of numbers"),
        ([(0, 0), (1, 1), (float("nan"), 2)], "no position"),
        ([(0, 0), (1, 1), (1e300, 2)], "no position"),
        ([(0, 0, 0)], "pairs of numbers"),
    ],
)
def test_wrong_rings_are_named(points: list[tuple[float, ...]], message: str) -> None:
    with pytest.raises(DataError, match=f"a.json: .*{message}"):
        build_ring(points, "a.json")


def test_zigzags_over_a_whole_picture() -> None:
    """Twenty kilobytes of labels that would take gigabytes to fill."""
    points = np.stack([np.arange(2000) % 7, np.arange(2000) % 2 * 16_000], axis=1)
    with pytest.raises(DataError, match=r"a polygon of 2,000 points crosses 3[0-9,]* rows"):
        Polygon((points.astype(np.float64),)).fill(16_000, 8)
