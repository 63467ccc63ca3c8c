from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pictures import save_picture
from segnext.data.formats.picture_index import PictureIndex
from segnext.data.formats.shape_classes import declare_shape_classes
from segnext.data.formats.shape_layout import (
    LabelledPicture,
    build_shape_layout,
    describe_skipped,
    name_split,
    read_numbers,
    read_size,
)
from segnext.data.layout import Layout
from segnext.data.shapes import Shape, build_box
from segnext.errors import DataError

SHAPES = (Shape(1, build_box(0, 0, 5, 5)),)


def build(
    root: Path, splits: dict[str, str], empty: tuple[str, ...] = (), unlabelled: str = "background"
) -> Layout:
    names = {1: "car", 2: "road"}
    pictures = [
        LabelledPicture(
            save_picture(root / f"{name}.png"),
            root / "labels.json",
            () if name in empty else SHAPES,
            None if name in empty else (20, 30),
            split,
        )
        for name, split in splits.items()
    ]
    declared = declare_shape_classes(names, "labels.json", unlabelled=unlabelled)
    return build_shape_layout("test", pictures, PictureIndex(root), declared, ["odd"])


def test_named_splits_come_in_their_usual_order(tmp_path: Path) -> None:
    layout = build(tmp_path, {"b": "Validation", "a": "TRAIN", "d": "extra", "c": "train"})
    names = {split: [item.name for item in items] for split, items in layout.splits.items()}
    assert list(names.items()) == [("train", ["a", "c"]), ("val", ["b"]), ("extra", ["d"])]
    assert not layout.pool
    item = layout.splits["val"][0]
    assert (item.image_path, item.mask_path) == (tmp_path / "b.png", tmp_path / "labels.json")
    assert layout.masks is not None
    assert (layout.masks.read(item) == 1).sum() == 25


def test_one_unnamed_split_is_a_pool(tmp_path: Path) -> None:
    layout = build(tmp_path, {"b": "default", "a": ""})
    assert [item.name for item in layout.pool] == ["a", "b"]
    assert not layout.splits


def test_pictures_without_shapes(tmp_path: Path) -> None:
    layout = build(tmp_path, {"a": "default", "b": "default"}, empty=("b",))
    assert layout.notes == ["odd", "1 pictures without a shape: background throughout: b"]
    assert layout.masks is not None
    # Its size is not stated, so it comes from the picture.
    mask = layout.masks.read(layout.pool[1])
    assert mask.shape == (20, 30)
    assert not mask.any()
    ignoring = build(tmp_path, {"a": "default", "b": "default"}, ("b",), "ignore")
    assert [item.name for item in ignoring.pool] == ["a"]
    assert ignoring.notes[1].startswith("1 pictures without a shape: left out")
    with pytest.raises(DataError, match=r"no picture has a labelled area"):
        build(tmp_path, {"a": "default"}, ("a",), "ignore")


def test_pictures_that_are_not_named_are_said(tmp_path: Path) -> None:
    save_picture(tmp_path / "other.png")
    notes = build(tmp_path, {"a": "train"}).notes
    assert "1 pictures that the annotations do not name: left out" in notes


def test_a_picture_annotated_twice(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.jpg")
    path = save_picture(tmp_path / "b.jpg")
    declared = declare_shape_classes({1: "car"}, "x")
    twice = [LabelledPicture(path, tmp_path / "x.json", SHAPES, None)] * 2
    with pytest.raises(DataError, match=r"x\.json: the picture b is annotated twice"):
        build_shape_layout("test", twice, PictureIndex(tmp_path), declared, [])


@pytest.mark.parametrize(
    ("name", "split"),
    [("Train", "train"), ("valid", "val"), ("testing", "test"), ("", "default"), ("x", "x")],
)
def test_names_of_splits(name: str, split: str) -> None:
    assert name_split(name) == split


def test_sizes_are_checked_before_anything_is_painted() -> None:
    assert read_size("20", 30.0, "x") == (20, 30)
    for size in ((0, 5), (None, 5), ("a", 5), (10**5, 10**5), (float("inf"), 1), (-3, -3)):
        with pytest.raises(DataError, match=r"here: .* is no size of a picture"):
            read_size(*size, "here")


@pytest.mark.parametrize("value", [None, "a", float("nan"), float("inf"), 10**400, 2e9, [1]])
def test_numbers_are_checked(value: Any) -> None:
    assert read_numbers({"x": "1.5", "y": 2}, ("y", "x"), "here") == [2, 1.5]
    with pytest.raises(DataError, match=r"here: x must be a number, not"):
        read_numbers({"x": value}, ["x"], "here")


def test_what_was_skipped_is_said() -> None:
    assert describe_skipped(Counter()) == []
    assert describe_skipped(Counter(points=2, line=1)) == [
        "labels without an area, skipped: 1 line, 2 points"
    ]
