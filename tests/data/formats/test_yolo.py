import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pictures import save_pairs, save_picture
from segnext.data.folder import Folder, open_folder
from segnext.data.formats.yolo import detect, read
from segnext.errors import DataError, UsageError
from yolo_files import LEFT, save_labels

NAMES = "names: {0: car, 1: dog}\n"
SPLITS = "train: images/train\nval: images/val\n"
LABELS = {
    "images/train/a": LEFT,
    "images/train/b": None,
    "images/train/c": "",
    "images/val/a": LEFT,
}


def _open(root: Path, text: str, **options: Any) -> Folder:
    (root / "data.yaml").write_text(text)
    return open_folder(root, **options)


def test_layout_of_ultralytics(tmp_path: Path) -> None:
    save_labels(tmp_path, LABELS)
    folder = _open(tmp_path, f"path: .\n{SPLITS}test:\nnc: 2\n{NAMES}")
    assert folder.classes.names == ("background", "car", "dog")
    assert folder.classes.raw_to_train == ((0, 1), (1, 2), (2, 0))
    train = folder.dataset("train")
    assert [item.name for item in train.items] == [f"images/train/{n}" for n in "abc"]
    assert [np.unique(train[i]["mask"]).tolist() for i in range(3)] == [[0, 1], [0], [0]]
    train.check()
    assert "layout: YOLO labels, images/train, images/val" in folder.notes
    assert "train: 1 images without labels, all background: images/train/b" in folder.notes
    assert "painted: larger areas first, smaller ones over them, then by line" in folder.notes
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(train))[0]["mask"], train[0]["mask"]
    )  # fmt: skip


def test_layout_of_roboflow(tmp_path: Path) -> None:
    save_labels(tmp_path, {f"{s}/images/a": LEFT for s in ("train", "valid", "test")})
    sources = "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n"
    folder = _open(tmp_path, sources + "nc: 2\nnames: ['car', 'dog']\nroboflow: {version: 1}\n")
    assert list(folder.splits) == ["train", "val", "test"]
    assert folder.dataset("test")[0]["mask"][0, 0] == 1


def test_lists_as_cvat_writes_them(tmp_path: Path) -> None:
    save_labels(tmp_path, {f"images/train/{n}": LEFT for n in "abcd"})
    (tmp_path / "train.txt").write_text("".join(f"data/images/train/{n}.jpg\n" for n in "abcd"))
    folder = _open(tmp_path, f"path: ./\ntrain: train.txt\n{NAMES}")
    assert sum(map(len, folder.splits.values())) == 4


def test_layout_of_label_studio(tmp_path: Path) -> None:
    save_labels(tmp_path, {"images/a": LEFT, "images/b": "1 0.5 0.5 1 1"})
    (tmp_path / "classes.txt").write_text("car\ndog\n")
    (tmp_path / "notes.json").write_text('{"categories": [{"id": 0, "name": "car"}], "info": {}}')
    assert detect(tmp_path)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in sorted(tmp_path.rglob("*")):
            if path.is_file() and path.suffix != ".zip":
                archive.write(path, path.relative_to(tmp_path))
    for root in (tmp_path, tmp_path / "a.zip"):
        folder = open_folder(root)
        assert folder.classes.names == ("background", "car", "dog")
        assert "boxes: 1 of 2 labels in 2 files looked at are boxes, filled as such" in folder.notes
        assert sorted(p.items[0].name for p in folder.splits.values()) == ["images/a", "images/b"]


def test_a_set_of_boxes_is_said(tmp_path: Path) -> None:
    save_labels(tmp_path, {"images/train/a": "0 0.5 0.5 1 1\n1 0.5 0.5 0.1 0.1"})
    notes = read(tmp_path, train="images/train", names=["car", "dog"]).notes
    assert "boxes: all labels in 1 files looked at are boxes, filled as such" in notes


def test_pixels_outside_all_objects_can_be_ignored(tmp_path: Path) -> None:
    save_labels(tmp_path, LABELS)
    folder = _open(tmp_path, f"{SPLITS}{NAMES}options: {{unlabelled: ignore}}\n")
    assert folder.classes.names == ("car", "dog")
    assert [item.name for item in folder.dataset("train").items] == ["images/train/a"]
    assert np.unique(folder.dataset("train")[0]["mask"]).tolist() == [0, 255]
    assert any(n.startswith("train: 2 images without labels, left out") for n in folder.notes)
    with pytest.raises(UsageError, match=r"unlabelled"):
        _open(tmp_path, f"{SPLITS}{NAMES}options: {{unlabelled: void}}\n")
    with pytest.raises(UsageError, match=r"option of the format yolo 'unlabeled': did you mean"):
        _open(tmp_path, f"{SPLITS}{NAMES}options: {{unlabeled: ignore}}\n")


def test_the_label_map_can_be_changed(tmp_path: Path) -> None:
    save_labels(tmp_path, LABELS)
    text = f"{SPLITS}{NAMES}merge: {{thing: [car, dog]}}\n"
    assert _open(tmp_path, text).classes.names == ("background", "thing")
    assert _open(tmp_path, f"{SPLITS}{NAMES}ignore_index: 1\n").classes.raw_to_train[1] == (1, None)


def test_a_name_background_is_the_background(tmp_path: Path) -> None:
    save_labels(tmp_path, {"images/train/a": f"1{LEFT[1:]}"})
    layout = read(tmp_path, train="images/train", names=["background", "car"])
    assert layout.masks is not None
    assert layout.masks.classes.names == ("background", "car")
    assert np.unique(layout.masks.read(layout.splits["train"][0])).tolist() == [0, 1]


def test_splits_without_labels(tmp_path: Path) -> None:
    save_labels(tmp_path, LABELS)
    save_picture(tmp_path / "images/test/t.jpg")
    folder = _open(tmp_path, f"{SPLITS}test: images/test\n{NAMES}")
    assert folder.dataset("test").items[0].mask_path is None
    assert "test: its 1 images have no labels" in folder.notes


def test_the_format_can_be_told(tmp_path: Path) -> None:
    save_labels(tmp_path, LABELS)
    text = "format: yolo\noptions: {train: images/train, val: images/val, names: [car, dog]}\n"
    for content in (text, f"format: yolo\n{SPLITS}{NAMES}", f"{SPLITS}{NAMES}"):
        assert _open(tmp_path, content, format="yolo").classes.names == ("background", "car", "dog")
    with pytest.raises(DataError, match=r"colors is about masks, but the labels are YOLO's"):
        _open(tmp_path, f"{SPLITS}{NAMES}colors: [[1, 2, 3], [4, 5, 6]]\n")


def test_masks_of_the_same_layout_stay_masks(tmp_path: Path) -> None:
    save_pairs(tmp_path, {f"images/{s}/a.jpg": f"masks/{s}/a.png" for s in ("train", "val")})
    assert _open(tmp_path, SPLITS + NAMES).classes.names == ("car", "dog")
    save_labels(tmp_path, LABELS)
    (tmp_path / "images/train/b.jpg").unlink()
    assert _open(tmp_path, SPLITS + NAMES).classes.names == ("car", "dog")
    assert _open(tmp_path, f"{SPLITS}{NAMES}masks_dir: masks\n").classes.names == ("car", "dog")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SPLITS, r"says no class names; add names"),
        (f"{SPLITS}names: {{a: car}}\n", r"names must have lines `number: name`, not a"),
        (f"{SPLITS}names: car\n", r"says no class names"),
        (f"{SPLITS}names: [car, car]\n", r"given twice: car"),
        (f"{SPLITS}test: images/absent\n{NAMES}", r"test: images/absent is neither a folder"),
        (f"{SPLITS}names: [dog]\noptions: [1]\n", r"options must hold lines"),
    ],
)
def test_malformed_descriptions(tmp_path: Path, text: str, message: str) -> None:
    save_labels(tmp_path, LABELS)
    with pytest.raises(DataError, match=message):
        _open(tmp_path, text)


def test_wrong_labels_stop_at_once(tmp_path: Path) -> None:
    save_labels(tmp_path, LABELS | {"images/val/a": "5 0 0 1 0 1 1"})
    with pytest.raises(DataError, match=r"labels/val/a\.txt, line 1: class 5 is none of the 2"):
        _open(tmp_path, SPLITS + NAMES)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"names no split, and there is no folder images"):
        read(tmp_path, names=["car"])
    save_picture(tmp_path / "images/a.jpg")
    with pytest.raises(DataError, match=r"no picture has a label file; images/a\.jpg needs"):
        read(tmp_path, names=["car"])
