from pathlib import Path
from typing import Any

import pytest

from pictures import save_picture
from segnext.data.formats.yolo_sources import (
    find_sources,
    has_label_files,
    label_path,
    locate,
    read_source,
)
from segnext.errors import DataError
from yolo_files import LEFT, save_labels


@pytest.mark.parametrize(
    ("picture", "labels"),
    [
        ("images/train/a.jpg", "labels/train/a.txt"),
        ("train/images/a.b.jpg", "train/labels/a.b.txt"),
        ("images/x/images/a.jpg", "images/x/labels/a.txt"),
        ("Images/a.png", "labels/a.txt"),
        ("train/a.jpg", "train/a.txt"),
    ],
)
def test_where_labels_lie(picture: str, labels: str) -> None:
    root = Path("/images/root")
    assert label_path(root / picture, root) == root / labels


def test_folders_and_lists(tmp_path: Path) -> None:
    for name in ("images/train/b", "images/train/1/a", "images/val/c"):
        save_picture(tmp_path / f"{name}.jpg")
    (tmp_path / "train.txt").write_text(
        "images/train/b.jpg\n./images/val/c.jpg\ndata/images/train/b.jpg\n"
        f"{tmp_path.as_posix()}/images/train/1/a.jpg\n"
    )
    expected = ["images/train/1/a", "images/train/b", "images/val/c"]
    assert list(read_source(tmp_path, "images/train", "here")) == expected[:2]
    assert list(read_source(tmp_path, ["images/train", "images/val"], "here")) == expected
    assert list(read_source(tmp_path, "train.txt", "here")) == expected
    assert read_source(tmp_path, "images/val", "here") == {
        "images/val/c": tmp_path / "images/val/c.jpg"
    }


def test_paths_as_roboflow_and_others_write_them(tmp_path: Path) -> None:
    save_picture(tmp_path / "train/images/a.jpg")
    expected = tmp_path / "train/images"
    absolute = str(tmp_path.absolute() / "train/images")
    for text in ("train/images", "../train/images", "./train/images", "train\\images", absolute):
        assert locate(tmp_path, text, "here") == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("../other", r"here: \.\./other leads out of the data set"),
        ("../../train", r"leads out of the data set"),
        ("/etc", r"here: /etc leads out"),
        ("absent", r"here: absent is neither a folder nor a \.txt list"),
        (3, r"must name a path, not 3"),
        ("empty", r"here: there is no picture in empty"),
        ("twice", r"a\.jpg and .*a\.png have one name"),
        (["twice.txt"], r"a\.jpg and .*a\.png have one name"),
        ("lost.txt", r"lost\.txt, line 2: there is no picture \.\./train/b\.jpg"),
        ("blank.txt", r"the list is empty"),
    ],
)
def test_wrong_sources(tmp_path: Path, source: Any, message: str) -> None:
    root = tmp_path / "root"
    (root / "empty").mkdir(parents=True)
    for name in ("a.jpg", "a.png"):
        save_picture(root / "twice" / name)
    save_picture(tmp_path / "train/b.jpg")
    (root / "twice.txt").write_text("twice/a.jpg\ntwice/a.png\n")
    (root / "lost.txt").write_text("twice/a.jpg\n../train/b.jpg\n")
    (root / "blank.txt").write_text("\n")
    with pytest.raises(DataError, match=message):
        read_source(root, source, "here")


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (["images/train", "images/val"], {"train": "images/train", "val": "images/val"}),
        (["train/images", "valid/images"], {"train": "train/images", "val": "valid/images"}),
        (["images"], {"": "images"}),
        (["photos"], {}),
    ],
)
def test_folders_that_nobody_names(
    tmp_path: Path, folders: list[str], expected: dict[str, str]
) -> None:
    for folder in folders:
        save_picture(tmp_path / folder / "a.jpg")
    assert find_sources(tmp_path) == expected


@pytest.mark.parametrize("name", ["images/train/a", "train/images/1/a", "train/a"])
@pytest.mark.parametrize("text", [LEFT, ""])
def test_label_files_are_recognised(tmp_path: Path, name: str, text: str) -> None:
    save_labels(tmp_path, {name: text})
    source = str(Path(name).parent).removesuffix("/1")
    assert has_label_files(tmp_path, {"train": source})
    (tmp_path / "list.txt").write_text(f"{name}.jpg\n")
    assert has_label_files(tmp_path, {"train": ["absent"], "val": "list.txt"})


def test_masks_go_before_and_other_texts_do_not_count(tmp_path: Path) -> None:
    save_labels(tmp_path, {"images/a": "a note about the picture"})
    assert not has_label_files(tmp_path, {"train": "images"})
    save_labels(tmp_path, {"images/b": LEFT})
    (tmp_path / "labels/classes.txt").write_text("car\n")
    (tmp_path / "list.txt").write_text("images/b.jpg\n")
    assert has_label_files(tmp_path, {"train": "images"})
    save_picture(tmp_path / "masks/a.png")
    assert not has_label_files(tmp_path, {"train": "images"})
    assert not has_label_files(tmp_path, {"train": "list.txt"})
    assert not has_label_files(tmp_path, {"train": 3, "val": "../x", "test": "absent.txt"})
