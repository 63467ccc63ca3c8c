import zipfile
from pathlib import Path

import pytest

from coco_files import content, save_coco
from pictures import save_picture
from segnext.data.formats.coco_files import (
    find_annotation_files,
    find_pictures,
    list_pictures,
    looks_like_coco,
    match_names,
    split_of,
)
from segnext.errors import DataError


def _found(root: Path) -> dict[str, str]:
    files = find_annotation_files(root)
    return {split: path.relative_to(root).as_posix() for split, path in files.items()}


def _save(root: Path, *paths: str) -> Path:
    for path in paths:
        save_coco(root / path, content(["a.jpg"]))
    return root


def test_layout_of_coco(tmp_path: Path) -> None:
    names = (
        "instances_val2017",
        "instances_train2017",
        "captions_train2017",
        "image_info_test2017",
    )
    _save(tmp_path, *(f"annotations/{name}.json" for name in names), "labels.json")
    assert _found(tmp_path) == {
        "train": "annotations/instances_train2017.json",
        "val": "annotations/instances_val2017.json",
    }
    assert list(_found(tmp_path)) == ["train", "val"]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["train/_annotations.coco.json", "valid/_annotations.coco.json"], ["train", "val"]),
        (["train/labels.json", "validation/labels.json", "test/a.json"], ["train", "val", "test"]),
        (["train/annotations/a.json"], ["train"]),
        (["result.json"], [""]),
        (["annotations/instances_default.json"], [""]),
        (["annotations/instances_Train.json"], ["train"]),
        (["annotations/instances_b.json", "annotations/instances_a.json"], ["a", "b"]),
        (["lvis_v1_val.json", "lvis_v1_train.json"], ["train", "val"]),
        ([], []),
    ],
)  # fmt: skip
def test_other_layouts(tmp_path: Path, paths: list[str], expected: list[str]) -> None:
    assert list(_found(_save(tmp_path, *paths))) == expected


def test_two_files_of_one_split(tmp_path: Path) -> None:
    _save(tmp_path, "annotations/instances_train2014.json", "annotations/instances_train2017.json")
    message = r"2014\.json and .*2017\.json are both of the split train; choose with options: "
    with pytest.raises(DataError, match=message):
        find_annotation_files(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"images": [], "categories": []}', True),
        ('{"categories": [{"id": 0, "name": "a"}], "info": {}}', False),  # Label Studio's notes
        ('{"info": {}, "categories": {"label": {}}, "items": [{"annotations": []}]}', False),
        ('{"version": "5.0", "shapes": []}', False),
        ('[{"images": [], "categories": []}]', False),
        ("", False),
        ('{"annotations": [{"category_id": 1, "x": "' + "-" * 70_000, True),
        ('{"items": [{"annotations": [{"label_id": 1, "x": "' + "-" * 70_000, False),
        ('{"info": {}, "images" : [' + " " * 70_000, True),
    ],
)
def test_the_look_of_a_file(tmp_path: Path, text: str, expected: bool) -> None:
    (tmp_path / "a.json").write_text(text)
    assert looks_like_coco(tmp_path / "a.json") == expected


def test_a_folder_of_many_files_is_none(tmp_path: Path) -> None:
    _save(tmp_path, *(f"{number}.json" for number in range(60)))
    assert find_annotation_files(tmp_path) == {}


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("annotations/instances_train2017.json", "train"),
        ("valid/_annotations.coco.json", "val"),
        ("training/data-test.json", "test"),
        ("train/validation/x.json", "val"),
        ("trainer/trainval.json", ""),
        ("a/train_val.json", ""),
    ],
)
def test_splits_in_names(path: str, split: str) -> None:
    assert split_of(Path("root") / path, Path("root")) == split


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("annotations/instances_train2017.json", "train2017"),
        ("annotations/instances_train2017.json", "images/train2017"),
        ("annotations/instances_train.json", "images/training"),
        ("annotations/instances_train.json", "train/images"),
        ("annotations/instances_default.json", "images/default"),
        ("annotations/instances_default.json", "images"),
        ("train/_annotations.coco.json", "train"),
        ("train/labels.json", "train/data"),
        ("result.json", "images"),
        ("labels.json", "data"),
        ("labels.json", ""),
    ],
)
def test_pictures_are_found(tmp_path: Path, path: str, folder: str) -> None:
    # A picture of another split must not be taken for one of this split.
    save_picture(tmp_path / "val2017/a.jpg")
    save_picture(tmp_path / "images/val/a.jpg")
    for name in "ab":
        save_picture(tmp_path / folder / f"{name}.jpg")
    save_coco(tmp_path / path, "{}")
    split = split_of(tmp_path / path, tmp_path)
    found = find_pictures(tmp_path / path, tmp_path, split, ["a.jpg", "b.jpg"], None)
    assert found.folder == tmp_path / folder
    assert found.by_name == {name: tmp_path / folder / name for name in ("a.jpg", "b.jpg")}


def test_the_folder_with_most_pictures_is_taken(tmp_path: Path) -> None:
    for name in ("train/a.jpg", "images/a.jpg", "images/b.jpg"):
        save_picture(tmp_path / name)
    path = save_coco(tmp_path / "annotations/instances_train.json", "{}")
    save_picture(tmp_path / "images/d.jpg")
    found = find_pictures(path, tmp_path, "train", ["a.jpg", "b.jpg", "c.jpg"], None)
    assert found.folder == tmp_path / "images"
    assert list(found.by_name) == ["a.jpg", "b.jpg"]
    assert found.others == [tmp_path / "images/d.jpg"]


def test_no_picture_is_there(tmp_path: Path) -> None:
    path = save_coco(tmp_path / "a.json", "{}")
    (tmp_path / "pictures").mkdir()
    with pytest.raises(
        DataError, match=r"none of its 1 pictures, such as a\.jpg, is below .*; put"
    ):
        find_pictures(path, tmp_path, "", ["a.jpg"], None)
    with pytest.raises(DataError, match=r"is in .*pictures; put them"):
        find_pictures(path, tmp_path, "", ["a.jpg"], tmp_path / "pictures")


def test_names_are_looked_up_and_never_opened(tmp_path: Path) -> None:
    for name in ("a.jpg", "1/a.jpg", "b.PNG", "notes.txt"):
        save_picture(tmp_path / name) if name != "notes.txt" else (tmp_path / name).write_text("")
    pictures = list_pictures(tmp_path)
    assert list(pictures) == ["1/a.jpg", "a.jpg", "b.PNG"]
    names = {
        "a.jpg": "a.jpg",
        "images\\1/a.jpg": "1/a.jpg",
        "..\\..\\label-studio\\media\\upload\\4\\a.jpg": "a.jpg",
        "/etc/b.PNG": "b.PNG",
        "https://host/val/a.jpg": "a.jpg",
        "../a.jpg": "a.jpg",
    }
    found = match_names([*names, "c.jpg", "", "notes.txt"], pictures)
    assert {name: path.relative_to(tmp_path).as_posix() for name, path in found.items()} == names


def test_in_an_archive(tmp_path: Path) -> None:
    save_coco(tmp_path / "a.json", content(["a.jpg"]), [tmp_path / "a.jpg"])
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.write(tmp_path / "a.json", "result.json")
        archive.write(tmp_path / "a.jpg", "images/a.jpg")
    root = tmp_path / "b.zip"
    assert _found(root) == {"": "result.json"}
    found = find_pictures(root / "result.json", root, "", ["images/a.jpg"], None)
    assert found.by_name == {"images/a.jpg": root / "images/a.jpg"}
