from pathlib import Path

import numpy as np
import pytest
import tifffile

from pictures import save_picture
from segnext.data.datasets.isprs import CLASSES, PALETTE, TileMasks
from segnext.data.pairing import Item
from segnext.errors import DataError

READER = TileMasks(CLASSES)


def read_colors(path: Path, *colors: tuple[int, int, int]) -> list[int]:
    tifffile.imwrite(path, np.array([colors], np.uint8), photometric="rgb")
    return READER.read(Item("x", path, path, "x"))[0].tolist()


def test_colors_of_the_benchmark(tmp_path: Path) -> None:
    assert CLASSES.names[5] == "clutter"
    assert read_colors(tmp_path / "m.tif", *PALETTE) == [255, 0, 1, 2, 3, 4, 5]
    assert READER.with_classes(CLASSES.drop(["clutter"])).read(
        Item("x", tmp_path / "m.tif", tmp_path / "m.tif", "x")
    )[0].tolist() == [255, 0, 1, 2, 3, 4, 255]


def test_nearly_right_colors_are_rounded(tmp_path: Path) -> None:
    # As in the tiles 6_7 (cars) and 4_12 of Potsdam.
    found = read_colors(
        tmp_path / "m.tif", (252, 255, 0), (9, 222, 221), (225, 227, 227), (70,) * 3
    )
    assert found == [4, 2, 0, 255]


def test_strange_colors_are_refused(tmp_path: Path) -> None:
    white = (255, 255, 255)
    with pytest.raises(DataError, match=r"m\.tif: 1 pixels have colours .* 255,0,255 \(#ff00ff\)"):
        read_colors(tmp_path / "m.tif", white, (255, 0, 255))
    with pytest.raises(DataError, match=r"2 pixels have colours .* 0,90,255"):
        read_colors(tmp_path / "m.tif", white, (0, 90, 255), (0, 160, 255))
    grey = save_picture(tmp_path / "grey.png", np.ones((2, 2), np.uint8))
    with pytest.raises(DataError, match=r"grey\.png: holds no 8-bit colours"):
        READER.read(Item("x", grey, grey, "x"))
