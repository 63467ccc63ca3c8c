from pathlib import Path

import numpy as np
import pytest

from pictures import ids, save_picture
from segnext.data.formats.mask_labels import MaskLabel, build_label_reader
from segnext.errors import DataError

GREEN, RED, BLUE = (0, 128, 0), (255, 0, 0), (0, 0, 255)
COLORED = [MaskLabel(0, "car", RED), MaskLabel(1, "Background", GREEN), MaskLabel(2, "road", BLUE)]


def draw(path: Path, *colors: tuple[int, int, int]) -> Path:
    return save_picture(path, np.array([colors], np.uint8))


def test_masks_in_colours(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.png", GREEN, RED, BLUE)
    reader, notes = build_label_reader(COLORED, [path], "labelmap.txt")
    assert reader.classes.names == ("Background", "car", "road")
    assert reader.classes.colors == (GREEN, RED, BLUE)
    assert reader.classes.raw_to_train == ((0, 1), (1, 0), (2, 2))
    assert reader.read_file(path).tolist() == [[0, 1, 2]]
    assert notes == ["masks: colours (RGB), each looked up exactly"]
    with pytest.raises(DataError, match=r"colour 9,9,9 .*; declare it in labelmap\.txt"):
        reader.read_file(draw(tmp_path / "b.png", GREEN, (9, 9, 9)))


def test_masks_of_values(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.png", np.array([[0, 1, 2]], np.uint8))
    reader, _ = build_label_reader(COLORED, [path], "labelmap.txt")
    assert reader.read_file(path).tolist() == [[1, 0, 2]]


@pytest.mark.parametrize("colored", [False, True])
def test_values_with_gaps(tmp_path: Path, colored: bool) -> None:
    labels = [MaskLabel(3, "car", RED), MaskLabel(9, "road", BLUE)]
    values = save_picture(tmp_path / "values.png", np.array([[3, 9, 9]], np.uint8))
    drawn = draw(tmp_path / "drawn.png", RED, BLUE, BLUE)
    reader, _ = build_label_reader(labels, [drawn if colored else values], "x")
    assert reader.read_file(drawn if colored else values).tolist() == [[0, 1, 1]]
    if not colored:
        with pytest.raises(DataError, match=r"pixels hold the value 1, which is none of the 2"):
            reader.read_file(save_picture(tmp_path / "b.png", ids(1)))


def test_void_counts_for_nothing_unless_it_is_a_class(tmp_path: Path) -> None:
    labels = [MaskLabel(0, "Void", GREEN), *COLORED[2:], MaskLabel(3, "car", RED)]
    path = draw(tmp_path / "a.png", GREEN, RED, BLUE)
    reader, notes = build_label_reader(labels, [path], "x")
    assert reader.classes.names == ("road", "car")
    assert reader.read_file(path).tolist() == [[255, 1, 0]]
    assert notes[0] == "pixels labelled Void count for nothing"
    kept, notes = build_label_reader(labels, [path], "x", keep_void=True)
    assert kept.read_file(path).tolist() == [[0, 2, 1]]
    assert len(notes) == 1


def test_ids_that_are_train_ids_need_no_map(tmp_path: Path) -> None:
    labels = [MaskLabel(0, "background"), MaskLabel(1, "car")]
    reader, _ = build_label_reader(labels, [save_picture(tmp_path / "a.png", ids(0, 1))], "x")
    assert reader.classes.raw_to_train == ()
    # As tools write a single class.
    binary = save_picture(tmp_path / "b.png", ids(0, 255))
    reader, _ = build_label_reader(labels, [binary], "x")
    assert sorted(np.unique(reader.read_file(binary))) == [0, 1]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([MaskLabel(1, "car"), MaskLabel(1, "road")], r"x: the value 1 is given twice"),
        ([MaskLabel(0, "car", RED), MaskLabel(1, "road", RED)], r"255,0,0 \(#ff0000\) is given tw"),
        ([MaskLabel(0, "car"), MaskLabel(1, "car")], r"x: class names must differ, given twice"),
        ([MaskLabel(0, "car"), MaskLabel(1, "void")], r"x: lists 1 classes, so there is nothing"),
        ([], r"x: lists 0 classes"),
    ],
)
def test_labels_that_contradict_themselves(labels: list[MaskLabel], message: str) -> None:
    with pytest.raises(DataError, match=message):
        build_label_reader(labels, [], "x")
