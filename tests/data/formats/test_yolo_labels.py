from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pictures import save_picture
from segnext.classes import Classes
from segnext.data.formats.yolo_labels import YoloMasks, is_blank, looks_like_labels
from segnext.data.pairing import Item
from segnext.errors import DataError
from yolo_files import LEFT

CLASSES = Classes(("background", "car", "dog"), raw_to_train=((0, 1), (1, 2), (2, 0)))
MASKS = YoloMasks(CLASSES, frozenset({0, 1}), 2)


def _read(tmp_path: Path, text: str | None) -> np.ndarray:
    picture = save_picture(tmp_path / "a.jpg")
    path = tmp_path / "a.txt"
    if text is not None:
        path.write_text(text)
    return MASKS.read(Item("a", picture, path, "a"))


def test_outlines_and_boxes(tmp_path: Path) -> None:
    expected = np.zeros((20, 30), np.uint8)
    expected[:, :15] = 1
    expected[5:15, 3:9] = 2
    # The box is smaller, so it lies above wherever its line stands.
    box = "1 0.2 0.5 0.2 0.5"
    np.testing.assert_array_equal(_read(tmp_path, f"{LEFT}\n{box}\n"), expected)
    np.testing.assert_array_equal(_read(tmp_path, f"\n{box}\n\n{LEFT}\n"), expected)


def test_of_equal_areas_the_later_line_lies_above(tmp_path: Path) -> None:
    mask = _read(tmp_path, f"{LEFT}\n1{LEFT[1:]}\n")
    assert mask[0, 0] == 2


@pytest.mark.parametrize("text", [None, "", "\n \n"])
def test_no_objects_are_background(tmp_path: Path, text: str | None) -> None:
    assert not _read(tmp_path, text).any()


def test_shares_are_of_the_upright_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = save_picture(tmp_path / "a.jpg", exif=exif)
    (tmp_path / "a.txt").write_text(LEFT)
    mask = MASKS.read(Item("a", picture, tmp_path / "a.txt", "a"))
    assert mask.shape == (30, 20)
    assert (mask[:, :10] == 1).all()
    assert not mask[:, 10:].any()


def test_classes_can_be_merged(tmp_path: Path) -> None:
    merged = MASKS.with_classes(CLASSES.merge({"thing": ["car", "dog"]}))
    picture = save_picture(tmp_path / "a.jpg")
    (tmp_path / "a.txt").write_text(f"1{LEFT[1:]}")
    assert merged.read(Item("a", picture, tmp_path / "a.txt", "a"))[0, 0] == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("7 0 0 1 0 1 1", r"a\.txt, line 2: class 7 is none of the 2 in names \(0, 1\); declare"),
        ("-1 0 0 1 0 1 1", r"line 2: the class must be a whole number from 0 on, not -1"),
        ("0.5 0 0 1 0 1 1", r"must be a whole number from 0 on, not 0\.5"),
        ("nan 0 0 1 0 1 1", r"must be a whole number from 0 on, not nan"),
        ("inf 0 0 1 0 1 1", r"must be a whole number from 0 on, not inf"),
        ("car 0 0 1 0 1 1", r"line 2: 'car 0 0 1 0 1 1' must hold numbers only"),
        ("0", r"0 numbers after the class; an outline has pairs"),
        ("0 0.5 0.5 1", r"3 numbers after the class"),
        ("0 0 0 1 0 1 1 0.9", r"7 numbers after the class"),
        ("0 0 0 640 0 640 480", r"the coordinate 640 is no share of the picture's size"),
        ("0 0 0 1 0 1 nan", r"the coordinate nan is no share"),
        ("0 0.5 0.5 1e300 1", r"is no share"),
    ],
)
def test_malformed_lines(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        _read(tmp_path, f"{LEFT}\n{line}\n")


def test_whole_classes_written_with_a_point(tmp_path: Path) -> None:
    assert _read(tmp_path, f"1.0{LEFT[1:]}")[0, 0] == 2


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_odd_text_is_an_error_or_labels(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "odd.txt"
    path.write_text(text, encoding="utf-8")
    try:
        labels = MASKS.labels(path)
    except DataError:
        return
    assert all(label.number in (0, 1) for label in labels)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LEFT, True),
        ("\n0 0.5 0.5 1 1\n", True),
        ("12 1e-3 +0.5 1. .5", True),
        ("images/train/a.jpg\n", False),
        ("0 0.5 0.5\n", False),
        ("0.5 0.5 0.5 0.5 0.5\n", False),
        ("road 128 64 128 1\n", False),
        ("", False),
    ],
)
def test_the_look_of_a_file(tmp_path: Path, text: str, expected: bool) -> None:
    (tmp_path / "a.txt").write_text(text)
    assert looks_like_labels(tmp_path / "a.txt") == expected
    assert is_blank(tmp_path / "a.txt") == (not text)
