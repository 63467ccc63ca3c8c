import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pictures import save_picture
from segnext.data.folder import open_folder
from segnext.data.formats.labelme import detect, read
from segnext.data.layout import Layout
from segnext.data.pairing import Item
from segnext.errors import DataError, UsageError


def _box(label: str, *corners: float, kind: str = "rectangle") -> dict[str, Any]:
    points = [list(corners[:2]), list(corners[2:])]
    return {"label": label, "points": points, "shape_type": kind, "group_id": None, "flags": {}}


def _save(path: Path, *shapes: dict[str, Any], picture: str = "", **fields: Any) -> Path:
    """Write a LabelMe file and its 30x20 picture, beside it if not told."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = {
        "version": "5.4.1",
        "flags": {},
        "shapes": list(shapes),
        "imagePath": picture or path.with_suffix(".jpg").name,
        "imageData": None,
        "imageHeight": 20,
        "imageWidth": 30,
    }
    path.write_text(json.dumps(values | fields))
    save_picture(path.parent / values["imagePath"])
    return path


def _mask(layout: Layout, item: Item) -> np.ndarray:
    assert layout.masks is not None
    return layout.masks.read(item)


def test_a_folder_of_pictures_and_files(tmp_path: Path) -> None:
    _save(tmp_path / "a.json", _box("tree", 0, 0, 9, 9), _box("car", 4, 4, 20, 9))
    _save(tmp_path / "b.json", _box("_background_", 0, 0, 9, 9), _box("car", 0, 0, 2, 2))
    save_picture(tmp_path / "c.jpg")
    layout = read(tmp_path)
    assert layout.masks is not None
    assert layout.masks.classes.names == ("background", "car", "tree")
    assert [item.name for item in layout.pool] == ["a", "b"]
    mask = _mask(layout, layout.pool[0])
    # What comes later lies above, though it is larger here.
    assert mask[[0, 5, 5, 15], [0, 5, 15, 25]].tolist() == [2, 1, 1, 0]
    assert _mask(layout, layout.pool[1])[[0, 5], [0, 5]].tolist() == [1, 0]
    assert "1 pictures that the annotations do not name: left out" in layout.notes
    assert any(note.startswith("classes by the alphabet") for note in layout.notes)
    assert open_folder(tmp_path).classes == layout.masks.classes


def test_splits_by_folders(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        _save(tmp_path / split / "1.json", _box("car", 0, 0, 2, 2))
    folder = open_folder(tmp_path)
    assert {s: part.items[0].name for s, part in folder.splits.items()} == {
        "train": "train/1",
        "val": "valid/1",
        "test": "test/1",
    }
    for split, part in folder.splits.items():
        part.check()
        assert part.items[0].mask_path == part.items[0].image_path.with_suffix(".json"), split


@pytest.mark.parametrize("picture", ["../../images/train/a.jpg", "..\\..\\images\\train\\a.jpg"])
def test_files_in_a_folder_beside(tmp_path: Path, picture: str) -> None:
    save_picture(tmp_path / "images/train/a.jpg")
    save_picture(tmp_path / "images/val/a.jpg")
    for split in ("train", "val"):
        path = _save(tmp_path / f"labels/{split}/a.json", _box("car", 0, 0, 2, 2))
        path.with_suffix(".jpg").unlink()
    values = json.loads(path.read_text())
    train = tmp_path / "labels/train/a.json"
    train.write_text(json.dumps(values | {"imagePath": picture}))
    layout = read(tmp_path)
    found = {split: items[0].image_path for split, items in layout.splits.items()}
    assert found == {split: tmp_path / f"images/{split}/a.jpg" for split in ("train", "val")}


def test_a_picture_of_another_split_is_not_taken(tmp_path: Path) -> None:
    _save(tmp_path / "train/a.json", _box("car", 0, 0, 2, 2)).with_suffix(".jpg").unlink()
    save_picture(tmp_path / "val/a.jpg")
    with pytest.raises(DataError, match=r"train/a\.json: its picture is missing there; .*val/a"):
        read(tmp_path)


def test_pictures_inside_the_file_only(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.json", _box("car", 0, 0, 2, 2), imageData="aGFsbG8=")
    assert len(read(tmp_path).pool) == 1
    path.with_suffix(".jpg").unlink()
    with pytest.raises(DataError, match=r"a\.jpg is inside the JSON only \(imageData\), .*export"):
        read(tmp_path)
    _save(path, _box("car", 0, 0, 2, 2)).with_suffix(".jpg").unlink()
    with pytest.raises(DataError, match=r"a\.json: there is no picture 'a\.jpg'"):
        read(tmp_path)


def test_order_of_classes(tmp_path: Path) -> None:
    _save(tmp_path / "a.json", _box("tree", 0, 0, 9, 9), _box("__ignore__", 0, 0, 4, 4))
    layout = read(tmp_path, classes=["tree", "car"])
    assert layout.masks is not None
    assert layout.masks.classes.names == ("background", "tree", "car")
    assert _mask(layout, layout.pool[0])[[0, 5], [0, 5]].tolist() == [255, 1]
    with pytest.raises(
        DataError, match=r"a\.json: the label 'tree' is none of the classes .*\(car"
    ):
        read(tmp_path, classes=["car"])
    for wrong in ("car", [3]):
        with pytest.raises(UsageError, match=r"classes must be a list of labels"):
            read(tmp_path, classes=wrong)  # type: ignore[arg-type]


def test_pixels_outside_all_shapes_can_be_ignored(tmp_path: Path) -> None:
    _save(tmp_path / "a.json", _box("tree", 0, 0, 9, 9), _box("car", 0, 0, 4, 4))
    _save(tmp_path / "b.json")
    layout = read(tmp_path, unlabelled="ignore")
    assert [item.name for item in layout.pool] == ["a"]
    assert np.unique(_mask(layout, layout.pool[0])).tolist() == [0, 1, 255]
    assert layout.masks is not None
    assert layout.masks.classes.names == ("car", "tree")
    with pytest.raises(UsageError, match=r"unlabelled"):
        read(tmp_path, unlabelled="void")


def test_sizes(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.json", _box("car", 0, 0, 2, 2), imageHeight=None, imageWidth=None)
    layout = read(tmp_path)
    assert _mask(layout, layout.pool[0]).shape == (20, 30)
    _save(path, _box("car", 0, 0, 2, 2), imageHeight=10**6, imageWidth=10**6)
    with pytest.raises(DataError, match=r"a\.json: 1000000 x 1000000 is no size"):
        read(tmp_path)


def test_points_and_other_files_are_said(tmp_path: Path) -> None:
    _save(tmp_path / "a.json", _box("car", 0, 0, 2, 2), _box("car", 1, 1, 2, 2, kind="line"))
    (tmp_path / "settings.json").write_text("[]")
    notes = read(tmp_path).notes
    assert "labels without an area, skipped: 1 line" in notes
    assert "1 JSON files have no shapes: passed over: settings.json" in notes


def test_broken_files(tmp_path: Path) -> None:
    _save(tmp_path / "a.json", _box("car", 0, 0, 2, 2))
    (tmp_path / "b.json").write_text('{"shapes": [')
    with pytest.raises(DataError, match=r"b\.json: is no valid JSON"):
        read(tmp_path)


def test_nothing_there(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.jpg")
    with pytest.raises(DataError, match=r"holds no LabelMe file"):
        open_folder(tmp_path, format="labelme")


def test_in_an_archive(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.json", _box("car", 0, 0, 2, 2))
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        for name in "ab":
            archive.write(path, f"labels/{name}.json")
            archive.write(path.with_suffix(".jpg"), f"labels/{name}.jpg")
    # Both name a.jpg, so b.json is the second file about it.
    with pytest.raises(DataError, match=r"b\.json: the picture labels/a is annotated twice"):
        open_folder(tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        for name in "ab":
            archive.write(path, f"{name}/a.json")
            archive.write(path.with_suffix(".jpg"), f"{name}/a.jpg")
    folder = open_folder(tmp_path / "c.zip", format="labelme")
    assert sorted(p.items[0].name for p in folder.splits.values()) == ["a/a", "b/a"]


@pytest.mark.parametrize("place", [".", "train", "labels", "train/annotations", "json"])
def test_detection(tmp_path: Path, place: str) -> None:
    (tmp_path / "0.json").write_text("[1]")
    assert not detect(tmp_path)
    path = _save(tmp_path / place / "a.json", _box("car", 0, 0, 2, 2))
    assert detect(tmp_path)
    data = {"flags": {}, "imageData": "a" * 100_000, "shapes": []}
    path.write_text(json.dumps(data))
    assert detect(tmp_path)
    save_picture(tmp_path / "images/a.jpg")
    save_picture(tmp_path / "masks/a.png")
    assert not detect(tmp_path)


@pytest.mark.parametrize("name", [".", "..", "a" * 5000, "a\0b"])
def test_pictures_of_names_that_none_can_have(tmp_path: Path, name: str) -> None:
    _save(tmp_path / "a.json", _box("car", 0, 0, 2, 2))
    path = tmp_path / "a.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"imagePath": name}))
    assert read(tmp_path).masks is not None
