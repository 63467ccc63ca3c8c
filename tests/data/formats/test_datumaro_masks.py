import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opening import masks_by_name
from pictures import ids, save_pairs, save_picture, save_splits
from segnext.data.folder import open_folder
from segnext.data.formats.datumaro_masks import detect, read, read_meta
from segnext.errors import DataError

META = {
    "label_map": {"0": "background", "1": "car", "2": "person"},
    "segmentation_colors": [[0, 0, 0], [255, 0, 0], [0, 0, 255]],
    "background_label": "0",
}
DRAWN = np.tile(np.array([[[0, 0, 0], [255, 0, 0], [0, 0, 255]]], np.uint8), (20, 10, 1))


def save(root: Path, meta: Any = META, mask: Any = DRAWN, at: str = "") -> Path:
    save_pairs(root, {f"images/{name}.png": f"masks/{name}.png" for name in "ab"}, mask)
    (root / at).mkdir(exist_ok=True)
    (root / at / "dataset_meta.json").write_text(json.dumps(meta))
    return root


def test_a_data_set_is_found_and_read(tmp_path: Path) -> None:
    folder = open_folder(save(tmp_path))
    assert folder.classes.names == ("background", "car", "person")
    assert folder.classes.colors == ((0, 0, 0), (255, 0, 0), (0, 0, 255))
    assert any("looks like common semantic segmentation of Datumaro" in n for n in folder.notes)
    np.testing.assert_array_equal(masks_by_name(tmp_path)["a"], ids(0, 1, 2))


def test_masks_of_ids(tmp_path: Path) -> None:
    save(tmp_path, mask=ids(2, 0))
    np.testing.assert_array_equal(masks_by_name(tmp_path)["b"], ids(2, 0))


def test_ids_with_gaps_and_a_list_of_labels(tmp_path: Path) -> None:
    save(tmp_path / "gap", {"label_map": {"7": "car", "3": "road"}}, ids(3, 7))
    folder = open_folder(tmp_path / "gap")
    assert (folder.classes.names, folder.classes.raw_to_train) == (
        ("road", "car"),
        ((3, 0), (7, 1)),
    )
    save(tmp_path / "list", {"labels": ["road", "car"]}, ids(0, 1))
    assert open_folder(tmp_path / "list").classes.names == ("road", "car")


@pytest.mark.parametrize("each", [False, True])
def test_subsets_are_splits(tmp_path: Path, each: bool) -> None:
    save_splits(tmp_path, train=2, val=1)
    for folder in ("train", "val") if each else (".",):
        (tmp_path / folder / "dataset_meta.json").write_text(json.dumps(META))
    assert detect(tmp_path)
    layout = read(tmp_path)
    assert {split: len(part) for split, part in layout.splits.items()} == {"train": 2, "val": 1}
    if each:
        other = {"label_map": {"0": "background", "1": "bus"}}
        (tmp_path / "val/dataset_meta.json").write_text(json.dumps(other))
        with pytest.raises(
            DataError, match=r"val/dataset_meta\.json: lists other labels than .*tra"
        ):
            read(tmp_path)


def test_void_counts_for_nothing(tmp_path: Path) -> None:
    label_map = {"0": "void", "1": "car", "2": "person"}
    save(tmp_path, {**META, "label_map": label_map})
    np.testing.assert_array_equal(masks_by_name(tmp_path)["a"], ids(255, 0, 1))


def test_wrong_masks(tmp_path: Path) -> None:
    save(tmp_path, {"label_map": META["label_map"]})
    with pytest.raises(DataError, match=r"is a colour mask, but the classes are declared without"):
        open_folder(tmp_path)
    save(tmp_path, mask=DRAWN // 2)
    with pytest.raises(DataError, match=r"pixels have the colour 0,0,127"):
        masks_by_name(tmp_path)
    (tmp_path / "masks/a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(DataError, match=r"a\.png"):
        read(tmp_path)


def test_missing_parts(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no dataset_meta\.json"):
        read(tmp_path)
    save_picture(tmp_path / "train/images/a.png")
    (tmp_path / "dataset_meta.json").write_text(json.dumps(META))
    with pytest.raises(DataError, match=r"there are images but no masks"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ([], r"must hold label_map, such as"),
        ({"label_map": {"0": 5}}, r"must hold label_map"),
        ({"label_map": {"x": "car"}}, r"label_map: 'x' is no id of its own from 0 to 65535"),
        ({"label_map": {"1": "a", "01": "b"}}, r"'01' is no id of its own"),
        ({"label_map": {"9" * 9: "a"}}, r"'999999999' is no id"),
        ({**META, "segmentation_colors": [[0, 0, 0]]}, r"must list 3 colours, one for each label"),
        ({**META, "segmentation_colors": [[0, 0, 0], [1, 2], [0, 0, 1]]}, r"\[1, 2\] is no colour"),
        ({**META, "segmentation_colors": [[0, 0, 0], [1, 2, 300], [0, 0, 1]]}, r"is no colour"),
    ],
)
def test_broken_metas(tmp_path: Path, meta: Any, message: str) -> None:
    (tmp_path / "dataset_meta.json").write_text(json.dumps(meta))
    with pytest.raises(DataError, match=f"dataset_meta.json: .*{message}"):
        read_meta(tmp_path / "dataset_meta.json")


def test_other_folders_are_not_taken_for_it(tmp_path: Path) -> None:
    save_splits(tmp_path, train=1, val=1)
    assert not detect(tmp_path)
    (tmp_path / "dataset_meta.json").write_text('{"label": 3, "fps": 20}')
    assert not detect(tmp_path)
    # The same file comes with other exports of Datumaro, which have no masks.
    (tmp_path / "other").mkdir()
    (tmp_path / "other/dataset_meta.json").write_text(json.dumps(META))
    assert not detect(tmp_path / "other")
    assert not detect(tmp_path / "nowhere")
