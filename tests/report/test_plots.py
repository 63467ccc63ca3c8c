from reports import report
from segnext.report.plots import draw_plots


def test_draws_what_there_is() -> None:
    plots = draw_plots(report())
    assert set(plots) == {"pictures", "reliability", "coverage"}
    for svg in plots.values():
        assert svg.startswith("<svg")
        assert "</text>" in svg
    assert set(draw_plots(report(confident=False))) == {"pictures"}
