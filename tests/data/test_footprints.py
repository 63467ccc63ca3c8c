from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from segnext.data.footprints import Footprint, find_overlaps, read_footprint

PIXELS = np.arange(20 * 30, dtype=np.uint8).reshape(20, 30)
KEYS = (1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, 32633)


def write_tiff(path: Path, tags: list[tuple[Any, ...]]) -> bytes:
    tifffile.imwrite(path, PIXELS, extratags=tags)
    return path.read_bytes()


def doubles(code: int, *values: float) -> tuple[Any, ...]:
    return (code, 12, len(values), values, True)


def test_a_tiepoint_and_a_scale_place_a_picture(tmp_path: Path) -> None:
    tags = [
        doubles(33550, 0.5, 0.5, 0.0),
        doubles(33922, 10, 4, 0, 1005.0, 2002.0, 0),
        (34735, 3, len(KEYS), KEYS, True),
    ]
    found = read_footprint(write_tiff(tmp_path / "a.tif", tags))
    # Pixel (10, 4) lies at (1005, 2002): the corner is 5 further left and 2 further up.
    assert found == Footprint(1000, 1994, 1015, 2004, 32633)


def test_an_upright_matrix_places_a_picture_and_a_turned_one_does_not(tmp_path: Path) -> None:
    upright = doubles(34264, 2, 0, 0, 100, 0, -2, 0, 50, 0, 0, 0, 0, 0, 0, 0, 1)
    found = read_footprint(write_tiff(tmp_path / "a.tif", [upright]))
    assert found == Footprint(100, 10, 160, 50, 0)
    turned = doubles(34264, 2, 1, 0, 100, 1, -2, 0, 50, 0, 0, 0, 0, 0, 0, 0, 1)
    assert read_footprint(write_tiff(tmp_path / "b.tif", [turned])) is None


@pytest.mark.parametrize(
    "tags",
    [
        [],
        [doubles(33550, 0.5, 0.5, 0.0)],
        [doubles(33550, 0.0, 0.5, 0.0), doubles(33922, 0, 0, 0, 1, 1, 0)],
        [doubles(33550, float("nan"), 0.5, 0.0), doubles(33922, 0, 0, 0, 1, 1, 0)],
        [doubles(33550, 0.5), doubles(33922, 0, 0)],
    ],
)
def test_incomplete_places_are_none(tmp_path: Path, tags: list[tuple[Any, ...]]) -> None:
    assert read_footprint(write_tiff(tmp_path / "a.tif", tags)) is None


def test_broken_files_have_no_place(tmp_path: Path) -> None:
    whole = write_tiff(tmp_path / "a.tif", [doubles(33550, 0.5, 0.5, 0.0)])
    assert read_footprint(b"nothing") is None
    assert read_footprint(whole[:40]) is None


def test_overlaps_are_found_and_shared_edges_are_not() -> None:
    train = [Footprint(0, 0, 10, 10, 1), Footprint(10, 0, 20, 10, 1)]
    beside = Footprint(20, 0, 30, 10, 1)
    half = Footprint(5, 5, 15, 15, 1)
    elsewhere = Footprint(0, 0, 10, 10, 2)
    assert find_overlaps(train, [beside, elsewhere]) == []
    assert find_overlaps(train, [beside, half]) == [(0, 1, 0.25)]
    assert find_overlaps(train, train) == [(0, 0, 1.0), (1, 1, 1.0)]
    assert find_overlaps([], train) == []
