from pathlib import Path

import pytest

from checked_folders import stripes, write_data, write_pair
from pictures import save_pairs
from segnext.data.arrangement import arrange, read_declared
from segnext.errors import DataError, UsageError


def test_plain_folders_are_arranged_without_looking_at_masks(tmp_path: Path) -> None:
    write_data(tmp_path, stripes([0, 1]), "a, b")
    (tmp_path / "train/masks/train_0.png").write_bytes(b"no mask at all")
    arranged = arrange(tmp_path)
    assert {split: len(items) for split, items in arranged.splits.items()} == {"train": 3, "val": 2}
    assert arranged.format is None
    assert arranged.described is None
    assert "splits: train 3, val 2" in arranged.notes


def test_groups_go_together_and_missing_splits_are_made(tmp_path: Path) -> None:
    names = [f"{scene}_{index}" for scene in "abcdefghijk" for index in range(2)]
    save_pairs(tmp_path, {f"images/{name}.jpg": f"masks/{name}.png" for name in names})
    arranged = arrange(tmp_path, group=r"^(\w)_")
    assert set(arranged.splits) == {"train", "val", "test"}
    groups = [{item.group for item in items} for items in arranged.splits.values()]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]


def test_train_without_val_is_carved(tmp_path: Path) -> None:
    for index in range(20):
        write_pair(tmp_path, "train", f"{index}", stripes([0, 1]))
    arranged = arrange(tmp_path)
    assert {split: len(items) for split, items in arranged.splits.items()} == {
        "train": 18,
        "val": 2,
    }


def test_declared_classes_are_read_and_void_ones_noted(tmp_path: Path) -> None:
    write_data(tmp_path, stripes([0, 1]), "a, void")
    arranged = arrange(tmp_path)
    declared = read_declared(arranged)
    assert declared is not None
    assert declared.classes.names == ("a", "void")
    assert "--ignore-index 1 leaves its pixels out" in arranged.notes[-1]
    (tmp_path / "classes.txt").unlink()
    assert read_declared(arranged) is None


def test_a_data_yaml_can_name_the_classes_of_plain_folders(tmp_path: Path) -> None:
    write_data(tmp_path, stripes([1, 2]), "x, y, z")
    text = "format: folder\nnames: [a, b]\nlabel_mapping: {1: 0, 2: 1}\n"
    (tmp_path / "data.yaml").write_text(text)
    declared = read_declared(arrange(tmp_path))
    assert declared is not None
    assert declared.classes.names == ("a", "b")
    assert declared.classes.raw_to_train == ((1, 0), (2, 1))
    (tmp_path / "data.yaml").write_text("format: folder\ntrain: images\n")
    with pytest.raises(DataError, match=r"data.yaml: train and format exclude each other"):
        arrange(tmp_path)


def test_wrong_arguments_are_answered(tmp_path: Path) -> None:
    write_data(tmp_path, stripes([0, 1]))
    with pytest.raises(UsageError, match=r"unknown format 'foldr': did you mean folder"):
        arrange(tmp_path, format="foldr")
    with pytest.raises(DataError, match=r"nowhere: no such folder"):
        arrange(tmp_path / "nowhere")
