import cv2
import numpy as np
from matplotlib import pyplot

from benchmark_rows import make_gap, make_row
from segnext.benchmark.plot import draw_latency
from segnext.benchmark.result import Row


def decode(rows: list[Row]) -> np.ndarray:
    drawn = draw_latency(rows)
    assert drawn is not None
    picture = cv2.imdecode(np.frombuffer(drawn, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert picture is not None
    return picture


def has_color(picture: np.ndarray, color: tuple[int, int, int]) -> bool:
    return bool((picture == color).all(axis=2).any())


def test_every_series_has_its_color() -> None:
    rows = [make_row(), make_row(backend="eager", seconds=1.0), make_gap()]
    picture = decode(rows)
    assert has_color(picture, (0x00, 0x72, 0xB2))
    assert has_color(picture, (0xD5, 0x5E, 0x00))
    assert not has_color(picture, (0x00, 0x9E, 0x73))


def test_models_make_it_taller_and_panels_wider() -> None:
    one = decode([make_row()])
    models = decode([make_row(model) for model in ("segnext_tiny", "segnext_base")])
    panels = decode([make_row(), make_row(batch=16), make_row(backend="eager", output="logits")])
    assert models.shape[0] > one.shape[0]
    assert panels.shape[1] > 2 * one.shape[1]


def test_nothing_timed_is_no_picture() -> None:
    assert draw_latency([make_gap()]) is None


def test_no_figure_stays_open() -> None:
    draw_latency([make_row()])
    assert pyplot.get_fignums() == []
