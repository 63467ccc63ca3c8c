import json
import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pictures import PHOTO, ids, save_splits
from rows import cell, columns, photo, write_arrow
from segnext.data import Folder, open_folder
from segnext.data.formats.hugging_face import FORMAT
from segnext.errors import DataError, UsageError

FEATURES = {"image": datasets.Image(), "label": datasets.Image()}


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SEGNEXT_CACHE", str(tmp_path / "cache"))


def build(count: int, start: int = 0) -> datasets.Dataset:
    features = datasets.Features(FEATURES)
    return datasets.Dataset.from_dict(columns(count, start), features=features)


def save_rows(root: Path, content: dict[str, Sequence[Any]], split: str = "train") -> Path:
    """Write what `save_to_disk` writes of a single split."""
    write_arrow(root / "data-00000-of-00001.arrow", content)
    state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_split": split}
    (root / "state.json").write_text(json.dumps(state))
    (root / "dataset_info.json").write_text("{}")
    return root


def describe(root: Path, **options: Any) -> Path:
    content = {"format": "hugging_face", "options": options}
    (root / "data.yaml").write_text(json.dumps(content))
    return root


def check_rows(folder: Folder, split: str, start: int, count: int) -> None:
    part = folder.dataset(split)
    assert len(part) == count
    for row in range(count):
        np.testing.assert_array_equal(part[row]["image"], photo(start + row))
        expected = np.roll(ids(0, 1, 2), start + row, axis=1)
        np.testing.assert_array_equal(part[row]["mask"], expected)


def test_what_the_library_saves_is_read_in_place(tmp_path: Path) -> None:
    saved = datasets.DatasetDict({"train": build(7), "validation": build(2, 7)})
    saved.save_to_disk(tmp_path / "saved", num_shards={"train": 3, "validation": 1})
    folder = open_folder(tmp_path / "saved")
    check_rows(folder, "train", 0, 7)
    check_rows(folder, "val", 7, 2)
    assert "layout: Hugging Face rows, columns image + label" in folder.notes
    assert [item.name for item in folder.dataset("train").items[:2]] == ["000000", "000001"]
    assert not (tmp_path / "cache").exists()
    sent = pickle.loads(pickle.dumps(folder.dataset("train")))
    np.testing.assert_array_equal(sent[6]["image"], photo(6))


def test_a_shuffled_and_filtered_set_is_saved_as_it_is(tmp_path: Path) -> None:
    build(6).select([5, 2, 4, 0]).save_to_disk(tmp_path / "saved")
    items = open_folder(tmp_path / "saved").splits
    assert sum(len(part) for part in items.values()) == 4
    first = next(part for part in items.values() if part.items[0].name == "000000")
    np.testing.assert_array_equal(first[0]["image"], photo(5))


def test_parquet_as_the_hub_has_it_is_copied_once(tmp_path: Path) -> None:
    root = tmp_path / "downloaded"
    (root / "data").mkdir(parents=True)
    build(4).to_parquet(root / "data/train-00000-of-00002.parquet")
    build(3, 4).to_parquet(root / "data/train-00001-of-00002.parquet")
    build(2, 7).to_parquet(root / "data/validation-00000-of-00001.parquet")
    (root / "README.md").write_text("---\nlicense: mit\n---\n")
    for _ in range(2):
        folder = open_folder(root)
        check_rows(folder, "train", 0, 7)
        check_rows(folder, "val", 7, 2)
        assert len([*(tmp_path / "cache/rows").glob("*.arrow")]) == 3
    # What changed is copied anew.
    build(2, 1).to_parquet(root / "data/validation-00000-of-00001.parquet")
    check_rows(open_folder(root), "val", 1, 2)


def test_the_cache_is_an_option(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    pq.write_table(pa.table(columns(12)), tmp_path / "rows/train.parquet")
    open_folder(describe(tmp_path / "rows", cache="copies"))
    assert len([*(tmp_path / "rows/copies").glob("train-*.arrow")]) == 1


def test_columns_are_an_option(tmp_path: Path) -> None:
    content = {
        "photo": [cell(photo(row)) for row in range(4)],
        "label": [3, 4, 5, 6],
        "instances": [cell(ids(7)) for _ in range(4)],
        "semantic": [cell(ids(0, 1)) for _ in range(4)],
    }
    root = save_rows(tmp_path / "rows", content)
    with pytest.raises(DataError, match=r"needs a column of pictures .* are photo, instances, sem"):
        open_folder(root)
    folder = open_folder(describe(root, image_column="photo", mask_column="semantic"))
    np.testing.assert_array_equal(folder.dataset("train")[0]["mask"], ids(0, 1))
    with pytest.raises(DataError, match=r"one of masks \(label\); those with pictures are photo"):
        open_folder(describe(root, image_column="photo", mask_column="label"))


@pytest.mark.parametrize(
    "name", ["labels", "mask", "annotation", "segmentation_mask", "labels.png"]
)
def test_usual_names_of_columns_are_found(tmp_path: Path, name: str) -> None:
    content = {"pixel_values": columns(3)["image"], name: columns(3)["label"]}
    folder = open_folder(save_rows(tmp_path / "rows", content))
    item = folder.dataset("train").items[0]
    assert (item.image_path.name, item.mask_path and item.mask_path.name) == ("pixel_values", name)


def test_class_names_come_from_id2label(tmp_path: Path) -> None:
    root = save_rows(tmp_path / "rows", columns(3))
    (root / "id2label.json").write_text('{"0": "unlabeled", "1": "road", "2": "sky"}')
    folder = open_folder(root)
    assert folder.classes.names == ("unlabeled", "road", "sky")
    assert any("unlabeled counts as a class like others" in note for note in folder.notes)
    ignored = open_folder(root, ignore_index=[0])
    assert set(np.unique(ignored.dataset("train")[0]["mask"])) == {1, 2, 255}
    (root / "names.json").write_text('{"id2label": {"0": "road", "1": "sky"}}')
    reduced = open_folder(describe(root, id2label="names.json", reduce_labels=True))
    assert reduced.classes.names == ("road", "sky")
    assert set(np.unique(reduced.dataset("train")[0]["mask"])) == {0, 1, 255}


def test_classes_txt_goes_before_id2label(tmp_path: Path) -> None:
    root = save_rows(tmp_path / "rows", columns(3))
    (root / "id2label.json").write_text('{"0": "a", "1": "b", "2": "c"}')
    (root / "classes.txt").write_text("road\nsky\ntree\n")
    assert open_folder(root).classes.names == ("road", "sky", "tree")
    with pytest.raises(UsageError, match=r"reduce_labels needs class names in id2label\.json"):
        open_folder(describe(root, reduce_labels=True))
    with pytest.raises(DataError, match=r"id2label: \.\./names\.json leads out of the data set"):
        open_folder(describe(root, id2label="../names.json"))


def test_an_undeclared_label_is_named_with_its_row(tmp_path: Path) -> None:
    content = columns(100)
    content["label"][51] = cell(ids(0, 9))
    root = save_rows(tmp_path / "rows", content)
    (root / "id2label.json").write_text('{"0": "a", "1": "b", "2": "c"}')
    part = next(
        p for p in open_folder(root).splits.values() if "000051" in {i.name for i in p.items}
    )
    index = [item.name for item in part.items].index("000051")
    with pytest.raises(
        DataError, match=r"data-00000-of-00001\.arrow/51/label: 300 pixels hold .* 9"
    ):
        part[index]


def test_rows_are_named_as_their_files_were(tmp_path: Path) -> None:
    names = ["seq1/a.jpg", "C:\\seq1\\b.jpg", "/far/c.jpg", "../d.jpg"]
    content = {**columns(4), "image": [cell(photo(i), name) for i, name in enumerate(names)]}
    folder = open_folder(save_rows(tmp_path / "rows", content, split="test"))
    assert [item.name for item in folder.dataset("test").items] == ["a", "b", "c", "d"]
    content["image"][3] = cell(PHOTO, "other/a.png")
    folder = open_folder(save_rows(tmp_path / "again", content, split="test"))
    assert [item.name for item in folder.dataset("test").items] == [f"{n:06d}" for n in range(4)]


def test_rows_without_a_picture_or_a_mask_are_told(tmp_path: Path) -> None:
    content = columns(6)
    content["image"][1] = None
    content["label"][4] = None
    notes = open_folder(save_rows(tmp_path / "rows", content)).notes
    assert "data-00000-of-00001.arrow: 1 rows without a picture left out" in notes
    assert "train: 1 images without a mask left out: 000004" in notes


def test_a_test_split_may_have_no_column_of_masks(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    pq.write_table(pa.table(columns(4)), tmp_path / "rows/train.parquet")
    pq.write_table(pa.table({"image": columns(2)["image"]}), tmp_path / "rows/test.parquet")
    folder = open_folder(tmp_path / "rows")
    assert [item.mask_path for item in folder.dataset("test").items] == [None, None]
    pq.write_table(pa.table({"label": columns(2)["image"]}), tmp_path / "rows/test.parquet")
    with pytest.raises(DataError, match=r"test\.parquet: has no column image, but other files"):
        open_folder(tmp_path / "rows")


def test_paths_instead_of_pictures_are_refused(tmp_path: Path) -> None:
    content = columns(3)
    content["image"][2] = {"bytes": None, "path": "/etc/passwd"}
    with pytest.raises(DataError, match=r"row 2 holds only the path of its picture, /etc/passwd"):
        open_folder(save_rows(tmp_path / "rows", content))


def test_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    root = save_rows(tmp_path / "rows", columns(3))
    path = root / "data-00000-of-00001.arrow"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match=r"00001\.arrow: is no Arrow file, or damaged"):
        open_folder(root)
    path.write_bytes(b"no rows")
    with pytest.raises(DataError, match=r"00001\.arrow: holds no rows, or is damaged"):
        open_folder(root)


def test_names_of_which_only_some_say_a_split_are_refused(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    for name in ("train", "rows"):
        pq.write_table(pa.table(columns(2)), tmp_path / f"rows/{name}.parquet")
    with pytest.raises(DataError, match=r"the names of rows\.parquet say no split, others do"):
        open_folder(tmp_path / "rows")


def test_no_rows_at_all_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds neither state\.json, dataset_dict\.json nor"):
        open_folder(tmp_path, format="hugging_face")
    schema = {"image": [], "label": []}
    empty = pa.table(schema, schema=pa.table(columns(1)).schema)
    pq.write_table(empty, tmp_path / "train.parquet")
    with pytest.raises(DataError, match=r"the split train has no row with a picture"):
        open_folder(tmp_path)


def test_rows_inside_an_archive_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "rows.zip", "w") as file:
        file.writestr("saved/dataset_dict.json", '{"splits": ["train"]}')
    with pytest.raises(DataError, match=r"saved: rows are read from a folder on disk only; unpa"):
        open_folder(tmp_path / "rows.zip")
    with zipfile.ZipFile(tmp_path / "table.zip", "w") as file:
        file.writestr("data/train-00000-of-00001.parquet", b"PAR1")
    with pytest.raises(DataError, match=r"rows are read from a folder on disk only; unpack the"):
        open_folder(tmp_path / "table.zip", format="hugging_face")


def test_tables_of_other_things_are_not_taken_for_pictures(tmp_path: Path) -> None:
    save_splits(tmp_path / "plain", train=2, val=1)
    pq.write_table(pa.table(columns(2)), tmp_path / "plain/train.parquet")
    assert not FORMAT.detect(tmp_path / "plain")
    (tmp_path / "table").mkdir()
    pq.write_table(pa.table({"image": ["a.jpg"], "label": [3]}), tmp_path / "table/train.parquet")
    assert not FORMAT.detect(tmp_path / "table")
    # Pictures with a number as label are for a classifier.
    content = {"image": columns(2)["image"], "label": [3, 4]}
    pq.write_table(pa.table(content), tmp_path / "table/train.parquet")
    assert not FORMAT.detect(tmp_path / "table")
    (tmp_path / "table/train.parquet").write_bytes(b"PAR1")
    assert not FORMAT.detect(tmp_path / "table")
