from matplotlib.figure import Figure

from segnext.svg import NEUTRAL, soften, to_svg


def draw() -> str:
    figure = Figure(figsize=(3, 2))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1])
    axes.set(xlabel="so many")
    soften(axes)
    return to_svg(figure)


def test_the_same_figures_are_the_same_bytes_and_text_stays_text() -> None:
    first = draw()
    assert first == draw()
    assert first.startswith("<svg")
    assert ">so many</text>" in first
    assert NEUTRAL in first
    assert "fill: #ffffff" not in first  # no paper of its own
