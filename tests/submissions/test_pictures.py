from pathlib import Path

import numpy as np
import pytest

from pictures import ids, save_picture
from segnext.data.datasets.registry import DATASETS
from segnext.data.masks import decode_stored
from segnext.errors import DataError
from segnext.submissions.pictures import (
    VOC_PALETTE,
    describe_ids,
    encode_ids,
    largest_file,
    measure_picture,
)
from segnext.submissions.servers import SERVERS


def test_the_palette_is_that_of_vocs_masks() -> None:
    # The first 21 as published with the classes, and the cream colour of void.
    assert [tuple(color) for color in VOC_PALETTE[:21].tolist()] == list(
        DATASETS["pascal_voc"].classes.colors
    )
    assert VOC_PALETTE[255].tolist() == [224, 224, 192]


@pytest.mark.parametrize("name", list(SERVERS))
def test_ids_come_back_from_the_picture(name: str) -> None:
    server, classes = SERVERS[name], DATASETS[name].classes
    mask = np.resize(np.arange(classes.num_labels, dtype=np.uint8), (20, 30))
    data = encode_ids(mask, classes, server.encoding)
    kind, pixels = decode_stored(data, Path("a"))
    assert kind == {"grey": "ids", "indexed": "palette", "color": "color"}[server.encoding]
    if server.encoding == "color":
        np.testing.assert_array_equal(pixels, np.array(classes.colors, np.uint8)[mask])
    else:
        np.testing.assert_array_equal(pixels[..., 0], np.array(classes.submission)[mask])


def test_a_tile_of_one_class_is_a_colour_picture_too() -> None:
    data = encode_ids(ids(0), DATASETS["potsdam"].classes, "color")
    kind, pixels = decode_stored(data, Path("a"))
    assert kind == "grey"  # white, but of three channels
    assert pixels.shape == (20, 30, 3)


def test_pictures_are_measured_as_they_are_shown(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.jpg")
    picture = measure_picture("a", path, SERVERS["ade20k"])
    assert (picture.width, picture.height) == (30, 20)
    assert largest_file(picture) == 4 * 600 + 65536
    with pytest.raises(DataError, match=r"wants 1024x1024; give the pictures as they were"):
        measure_picture("a", path, SERVERS["loveda"])
    with pytest.raises(DataError, match=r"b.jpg"):
        measure_picture("b", tmp_path / "b.jpg", SERVERS["ade20k"])


def test_ids_are_described_in_a_few_words() -> None:
    assert describe_ids((1, 2, 3)) == "1 to 3"
    assert describe_ids((7, 8, 11)) == "7, 8, 11"
