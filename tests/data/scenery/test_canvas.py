import numpy as np
import pytest

from segnext.data.scenery.canvas import (
    BUILDING,
    CAR,
    GRASS,
    SKY,
    Camera,
    Canvas,
    Light,
    cells,
    ground,
    wall,
)

# At a distance of 10 m one metre is ten pixels; the ground there lies in row 70.
CAMERA = Camera(vanish=40, horizon=50, focal=100, height=2)
RED = (200, 0, 0)
LAWN = ground([(-90, 3), (90, 3), (90, 90), (-90, 90)])


def clear_canvas(sun: float = 0.0, visibility: float = 1e9) -> Canvas:
    zenith, haze = np.array((0, 0, 200)), np.array((100, 100, 100))
    return Canvas(80, 96, CAMERA, Light(1, sun, zenith, haze, visibility, dusk=False))


def test_camera_projects_like_a_pinhole() -> None:
    points = np.array([(0.0, 2.0, 10.0), (1.0, 0.0, 10.0), (1.0, 0.0, 20.0)])
    assert CAMERA.project(points).tolist() == [[40, 50], [50, 70], [45, 60]]
    assert CAMERA.ground_depth(np.array([70.0, 60.0])).tolist() == [10, 20]


def test_mask_is_the_polygon_to_the_pixel() -> None:
    canvas = clear_canvas()
    canvas.paint(wall((-1, 10), (2, 10), 1, 3), RED, BUILDING)
    image, mask = canvas.finish()
    expected = np.full((96, 80), SKY)
    expected[40:60, 30:60] = BUILDING
    assert np.array_equal(mask, expected)
    assert (image[41:59, 31:59] == RED).all()


def test_later_polygons_cover_earlier_ones() -> None:
    canvas = clear_canvas()
    canvas.paint(wall((-1, 10), (2, 10), 1, 3), RED, BUILDING)
    canvas.paint(wall((0, 10), (1, 10), 1, 3), (0, 9, 0), CAR)
    image, mask = canvas.finish()
    assert mask[50, [35, 45, 55]].tolist() == [BUILDING, CAR, BUILDING]
    assert image[50, 45].tolist() == [0, 9, 0]


def test_sky_runs_from_zenith_to_haze() -> None:
    canvas = clear_canvas()
    canvas.paint(LAWN, RED, GRASS)
    image, _ = canvas.finish()
    assert image[0, 0] == pytest.approx((1, 1, 199), abs=2)
    assert image[48, 0] == pytest.approx((97, 97, 103), abs=2)


def test_distance_fades_colours_to_haze() -> None:
    canvas = clear_canvas(visibility=10)
    canvas.paint(wall((-1, 10), (2, 10), 1, 3), RED, BUILDING)
    image, _ = canvas.finish()
    assert image[50, 45].tolist() == [150, 50, 50]


def test_shadows_fall_on_the_ground_only() -> None:
    canvas = clear_canvas(sun=1.0)
    canvas.paint(LAWN, RED, GRASS)
    canvas.paint(wall((0, 10), (1, 10), -1, 3), RED, CAR)
    canvas.cast_shadow(ground([(-2, 9), (2, 9), (2, 12), (-2, 12)]))
    image, _ = canvas.finish()
    assert image[69, 30] == pytest.approx((100, 0, 0), abs=1)
    assert image[69, 45].tolist() == [200, 0, 0]
    assert image[90, 30] == pytest.approx((200, 0, 0), abs=1)


def test_cells_cut_rectangles_out_of_a_face() -> None:
    face = wall((0, 10), (4, 10), 0, 2)
    one = cells(0.25, 0, 0.5, 0.5) @ face
    assert one.tolist() == [[1, 0, 10], [2, 0, 10], [2, 1, 10], [1, 1, 10]]
    two = cells((0.25, 0), (0, 0), (0.5, 1), (0.5, 1)) @ face
    assert two[0].tolist() == one.tolist()
    assert two[1].tolist() == face.tolist()
