from segnext.data.datasets.voc_colors import voc_colors


def test_the_colours_of_pascal_voc() -> None:
    colors = voc_colors(256)
    assert colors[:5] == ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128))
    assert colors[20] == (0, 64, 128)
    assert colors[255] == (224, 224, 192)
    assert len(set(colors)) == 256
