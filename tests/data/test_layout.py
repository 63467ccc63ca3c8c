from pathlib import Path

import pytest

from pictures import save_pairs, save_picture, save_splits
from segnext.data.layout import find_layout
from segnext.errors import DataError


def _names(root: Path) -> dict[str, list[str]]:
    layout = find_layout(root)
    return {split: [item.name for item in items] for split, items in layout.splits.items()}


def test_split_folders_outside(tmp_path: Path) -> None:
    save_splits(tmp_path, train=2, val=1, test=1)
    assert _names(tmp_path) == {
        "train": ["train_0", "train_1"],
        "val": ["val_0"],
        "test": ["test_0"],
    }
    assert find_layout(tmp_path).description == "train/images + train/masks, and so on"


def test_split_folders_inside(tmp_path: Path) -> None:
    save_pairs(
        tmp_path,
        {"images/train/a.jpg": "masks/train/a.png", "images/val/b.jpg": "masks/val/b.png"},
    )
    assert _names(tmp_path) == {"train": ["a"], "val": ["b"]}


def test_synonyms_in_any_case(tmp_path: Path) -> None:
    save_pairs(
        tmp_path,
        {"Training/IMG/a.jpg": "Training/Annotations/a.png", "valid/imgs/b.jpg": "valid/gt/b.png"},
    )
    assert _names(tmp_path) == {"train": ["a"], "val": ["b"]}


def test_masks_win_over_labels(tmp_path: Path) -> None:
    save_splits(tmp_path, train=1)
    (tmp_path / "train/labels").mkdir()
    (tmp_path / "train/labels/train_0.txt").touch()
    (item,) = find_layout(tmp_path).splits["train"]
    assert item.mask_path == tmp_path / "train/masks/train_0.png"


@pytest.mark.parametrize("folder", [".", "splits", "ImageSets/Segmentation"])
def test_lists(tmp_path: Path, folder: str) -> None:
    names = ["a", "b", "c", "d"]
    save_pairs(
        tmp_path, {f"JPEGImages/{name}.jpg": f"SegmentationClass/{name}.png" for name in names}
    )
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    (tmp_path / folder / "train.txt").write_text("a\nJPEGImages/b.jpg\n")
    (tmp_path / folder / "val.txt").write_text("c")
    assert _names(tmp_path) == {"train": ["a", "b"], "val": ["c"]}
    assert find_layout(tmp_path).notes == ["1 pictures are in no list: d"]


def test_listed_test_split_without_masks(tmp_path: Path) -> None:
    save_pairs(tmp_path, {"images/a.jpg": "masks/a.png", "images/b.jpg": ""})
    (tmp_path / "train.txt").write_text("a")
    (tmp_path / "test.txt").write_text("b")
    layout = find_layout(tmp_path)
    assert [item.mask_path for item in layout.splits["test"]] == [None]
    assert layout.notes == ["test: its 1 images have no masks"]


def test_folders_alone_are_a_pool(tmp_path: Path) -> None:
    save_pairs(
        tmp_path, {"images/x/a.jpg": "masks/x/a.png", "images/b.jpg": "", "images/c.jpg": ""}
    )
    layout = find_layout(tmp_path)
    assert [item.name for item in layout.pool] == ["x/a"]
    assert layout.notes == ["all: 2 images without a mask left out: b, c"]


def test_test_images_without_masks(tmp_path: Path) -> None:
    save_splits(tmp_path, train=1)
    save_picture(tmp_path / "test/images/t.jpg")
    (tmp_path / "test/masks").mkdir()
    layout = find_layout(tmp_path)
    assert [item.mask_path for item in layout.splits["test"]] == [None]


def test_missing_folder_and_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder or archive"):
        find_layout(tmp_path / "absent")
    path = save_picture(tmp_path / "a.jpg")
    with pytest.raises(DataError, match=r"is no folder, data\.yaml, \.zip"):
        find_layout(path)


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no folder of images; .* found an empty folder"):
        find_layout(tmp_path)


def test_images_without_a_mask_folder(tmp_path: Path) -> None:
    save_picture(tmp_path / "images/a.jpg")
    with pytest.raises(DataError, match=r"no folder of masks beside images; .* found images"):
        find_layout(tmp_path)
