import xml.etree.ElementTree

from comparisons import build_config, make_measured, make_run
from segnext.compare.plots import draw_curves, draw_pareto, pareto_front
from segnext.compare.result import summarize


def test_the_front_is_what_nothing_beats() -> None:
    points = [(3.0, 50.0), (1.0, 40.0), (2.0, 39.0), (4.0, 49.0), (1.0, 38.0), (5.0, 51.0)]
    assert pareto_front(points) == [(1.0, 40.0), (3.0, 50.0), (5.0, 51.0)]
    assert pareto_front([]) == []


def test_plots_name_every_system_and_repeat() -> None:
    config = build_config()
    runs = [
        make_run(config, name, seed, 40.0 + seed) for name in ("first", "second") for seed in (0, 1)
    ]
    measured = {"first": make_measured(4, 10.0), "second": make_measured(5, 9.0)}
    result = summarize(config, runs, measured)
    for draw in (draw_pareto, draw_curves):
        svg = draw(result)
        assert svg is not None
        xml.etree.ElementTree.fromstring(svg)
        assert "first" in svg
        assert "second" in svg
        assert "other" not in svg
        assert draw(result) == svg


def test_nothing_is_drawn_of_nothing() -> None:
    result = summarize(build_config(), [], {})
    assert draw_pareto(result) is None
    assert draw_curves(result) is None
