from segnext.classes import Classes
from segnext.data.scenery import specks
from segnext.serve.example import draw_example
from segnext.serve.intake import check_picture


def test_a_scene_suits_the_channels() -> None:
    for channels, kind in ((1, "png"), (3, "png"), (5, "tiff")):
        data = draw_example(Classes.numbered(4), channels)
        assert data is not None
        header = check_picture(data, channels=channels, max_pixels=640 * 480)
        assert (header.format, header.channels) == (kind, channels)
    assert draw_example(Classes.numbered(4), 7) is None


def test_a_scene_suits_the_classes() -> None:
    streets = draw_example(Classes.numbered(4), 3)
    assert draw_example(Classes.numbered(9), 3) == streets
    assert draw_example(specks.CLASSES, 3) != streets
