import pickle
from pathlib import Path

import pytest

from segnext.classes import Classes
from segnext.data.pairing import Item
from segnext.data.shape_masks import Annotation, ShapeMasks
from segnext.data.shapes import Runs, Shape, build_box
from segnext.errors import DataError

CLASSES = Classes(("background", "car", "tree"), raw_to_train=((0, 0), (7, 1), (9, 2)))
ITEM = Item("a", Path("a.jpg"), Path("labels.json"), "a")


def reader(*shapes: Shape) -> ShapeMasks:
    return ShapeMasks(CLASSES, {"a": Annotation(shapes, 1, 4)})


def test_masks_are_painted_in_order_on_the_background() -> None:
    masks = reader(Shape(7, build_box(0, 0, 3, 1)), Shape(9, build_box(2, 0, 4, 1)))
    assert masks.read(ITEM).tolist() == [[1, 1, 2, 2]]
    assert pickle.loads(pickle.dumps(masks)).read(ITEM).tolist() == [[1, 1, 2, 2]]
    assert reader().read(ITEM).tolist() == [[0, 0, 0, 0]]


def test_another_label_map_gives_other_train_ids() -> None:
    masks = reader(Shape(7, build_box(0, 0, 3, 1)), Shape(9, build_box(2, 0, 4, 1)))
    assert masks.with_classes(CLASSES.drop(["car"])).read(ITEM).tolist() == [[255, 255, 1, 1]]


def test_what_cannot_be_painted_is_named_with_its_file_and_picture() -> None:
    broken = Runs.from_bitmap(build_box(0, 0, 1, 1).fill(1, 4))
    shape = Shape(7, Runs(broken.counts, 9, 9))
    with pytest.raises(DataError, match=r"labels\.json: run lengths cover 4 .* the image a"):
        reader(shape).read(ITEM)
    with pytest.raises(DataError, match=r"labels\.json: 4 pixels hold the value 5"):
        reader(Shape(5, build_box(0, 0, 4, 1))).read(ITEM)
