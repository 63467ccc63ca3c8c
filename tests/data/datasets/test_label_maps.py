import numpy as np
import pytest

from segnext.data.datasets.label_maps import (
    read_label_lines,
    read_label_map,
    stored_as_train_ids,
)
from segnext.errors import DataError


@pytest.mark.parametrize(
    ("name", "count", "first", "last"),
    [
        ("ade20k", 150, "wall", "flag"),
        ("cityscapes", 19, "road", "bicycle"),
        ("coco_stuff164k", 171, "person", "wood"),
        ("coco_stuff10k", 171, "person", "wood"),
        ("pascal_voc", 21, "background", "tvmonitor"),
        ("pascal_context", 60, "background", "wood"),
        ("pascal_context59", 59, "aeroplane", "wood"),
    ],
)
def test_published_numbers_of_classes(name: str, count: int, first: str, last: str) -> None:
    classes = read_label_map(name)
    assert (classes.num_classes, classes.names[0], classes.names[-1]) == (count, first, last)


@pytest.mark.parametrize(
    "name", ["ade20k", "cityscapes", "coco_stuff164k", "coco_stuff10k", "pascal_voc"]
)
def test_submission_is_the_raw_id(name: str) -> None:
    classes = read_label_map(name)
    trains = np.arange(classes.num_classes, dtype=np.uint8)[None]
    np.testing.assert_array_equal(classes.submit(trains), classes.decode(trains))


def test_cityscapes_maps_label_ids_as_its_scripts_do() -> None:
    classes = read_label_map("cityscapes")
    raw = np.array([[0, 4, 7, 8, 9, 11, 12, 13, 17, 19, 26, 29, 31, 33, 255]], np.uint8)
    want = [[255, 255, 0, 1, 255, 2, 3, 4, 5, 6, 13, 255, 16, 18, 255]]
    np.testing.assert_array_equal(classes.encode(raw, "mask"), want)
    with pytest.raises(DataError, match=r"value 34"):
        classes.encode(np.array([[34]], np.uint8), "mask")
    assert read_label_lines("cityscapes")[6].name == "ground"
    assert read_label_lines("cityscapes")[6].train is None
    assert classes.colors[classes.names.index("sky")] == (70, 130, 180)


def test_coco_stuff_leaves_out_what_occurs_in_no_picture() -> None:
    of_164k = dict(read_label_map("coco_stuff164k").raw_to_train)
    of_10k = dict(read_label_map("coco_stuff10k").raw_to_train)
    empty = {raw for raw, train in of_164k.items() if train is None}
    assert empty == {11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90}
    assert (of_164k[0], of_164k[12], of_164k[91], of_164k[181]) == (0, 11, 80, 170)
    assert of_10k == {0: None} | {raw + 1: train for raw, train in of_164k.items()}


def test_context_with_and_without_background_is_one_order() -> None:
    whole, reduced = read_label_map("pascal_context"), read_label_map("pascal_context59")
    assert whole.names[1:] == reduced.names == tuple(sorted(reduced.names))
    assert whole.reduce_zero().raw_to_train == reduced.raw_to_train
    assert whole.reduce_zero().colors == reduced.colors


def test_masks_that_hold_train_ids_already() -> None:
    plain = stored_as_train_ids(read_label_map("cityscapes"))
    raw = np.array([[0, 18, 255]], np.uint8)
    np.testing.assert_array_equal(plain.encode(raw, "mask"), raw)
    with pytest.raises(DataError, match=r"value 19"):
        plain.encode(np.array([[19]], np.uint8), "mask")
    shifted = stored_as_train_ids(read_label_map("coco_stuff10k"), first=1)
    raw = np.array([[0, 1, 171, 255]], np.uint8)
    np.testing.assert_array_equal(shifted.encode(raw, "mask"), [[255, 0, 170, 255]])
    with pytest.raises(DataError, match=r"value 172"):
        shifted.encode(np.array([[172]], np.uint8), "mask")
