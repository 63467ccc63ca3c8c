import json
from pathlib import Path
from typing import Any

import pytest

from segnext.data.formats.row_files import find_row_files, is_saved
from segnext.errors import DataError


def save(root: Path, names: list[str], **state: Any) -> Path:
    """Write what `save_to_disk` writes about some files, and the files, empty."""
    root.mkdir(parents=True, exist_ok=True)
    for name in names:
        (root / name).write_bytes(b"")
    content = {"_data_files": [{"filename": name} for name in names], **state}
    (root / "state.json").write_text(json.dumps(content))
    (root / "dataset_info.json").write_text("{}")
    return root


def save_dict(root: Path, *splits: str) -> Path:
    for split in splits:
        save(root / split, ["data-00000-of-00002.arrow", "data-00001-of-00002.arrow"])
    (root / "dataset_dict.json").write_text(json.dumps({"splits": splits}))
    return root


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return root


def found_in(root: Path) -> dict[str, list[str]]:
    files = find_row_files(root)
    return {
        split: [path.relative_to(root).as_posix() for path in paths]
        for split, paths in files.items()
    }


def test_a_saved_dict_has_splits(tmp_path: Path) -> None:
    save_dict(tmp_path, "train", "validation", "extra")
    assert is_saved(tmp_path)
    names = ("data-00000-of-00002.arrow", "data-00001-of-00002.arrow")
    assert found_in(tmp_path) == {
        "train": [f"train/{name}" for name in names],
        "val": [f"validation/{name}" for name in names],
        "extra": [f"extra/{name}" for name in names],
    }


@pytest.mark.parametrize(("said", "split"), [(None, ""), ("train", "train"), ("dev", "dev")])
def test_a_saved_set_keeps_the_order_of_its_files(
    tmp_path: Path, said: str | None, split: str
) -> None:
    save(tmp_path, ["b.arrow", "a.arrow"], _split=said)
    assert found_in(tmp_path) == {split: ["b.arrow", "a.arrow"]}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            ("data/train-00000-of-00001.parquet", "data/validation-00000-of-00001-abc123.parquet"),
            {
                "train": ["data/train-00000-of-00001.parquet"],
                "val": ["data/validation-00000-of-00001-abc123.parquet"],
            },
        ),
        (
            ("train.parquet", "test.parquet", "README.md", ".x.parquet"),
            {"train": ["train.parquet"], "test": ["test.parquet"]},
        ),
        (
            (
                "default/train/0000.parquet",
                "default/train/0001.parquet",
                "default/test/0000.parquet",
            ),
            {
                "train": ["default/train/0000.parquet", "default/train/0001.parquet"],
                "test": ["default/test/0000.parquet"],
            },
        ),
        (("roads_train.parquet",), {"train": ["roads_train.parquet"]}),
        (("0000.parquet", "rows.parquet"), {"": ["0000.parquet", "rows.parquet"]}),
        (("images/a.png",), {}),
    ],
)
def test_parquet_files_say_their_split(
    tmp_path: Path, names: tuple[str, ...], expected: dict[str, list[str]]
) -> None:
    touch(tmp_path, *names)
    assert not is_saved(tmp_path)
    assert found_in(tmp_path) == expected


def test_half_a_download_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "train-00000-of-00003.parquet", "train-00002-of-00003.parquet")
    with pytest.raises(DataError, match=r"has 2 of 3 files of train; download the others"):
        find_row_files(tmp_path)


def test_a_missing_file_of_a_saved_set_is_named(tmp_path: Path) -> None:
    save_dict(tmp_path, "train")
    (tmp_path / "train/data-00001-of-00002.arrow").unlink()
    with pytest.raises(DataError, match=r"train: 1 of 2 files are missing: data-00001-of-00002"):
        find_row_files(tmp_path)


@pytest.mark.parametrize("name", ["../../etc/x.arrow", "/etc/x.arrow", "..", "a\\b.arrow", "x.zip"])
def test_no_file_outside_is_read(tmp_path: Path, name: str) -> None:
    save(tmp_path, [])
    (tmp_path / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
    with pytest.raises(DataError, match=r"state\.json: must list the files of rows"):
        find_row_files(tmp_path)


@pytest.mark.parametrize("content", ["[]", '{"splits": []}', '{"splits": ["../x"]}', "{"])
def test_a_malformed_list_of_splits_is_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "dataset_dict.json").write_text(content)
    with pytest.raises(DataError, match=r"dataset_dict\.json: (must|is no|'\.\./x' is no)"):
        find_row_files(tmp_path)


def test_two_names_of_one_split_are_refused(tmp_path: Path) -> None:
    save_dict(tmp_path, "val", "validation")
    with pytest.raises(DataError, match=r"two splits are one: val, validation; rename"):
        find_row_files(tmp_path)


def test_rows_chosen_by_an_index_are_refused(tmp_path: Path) -> None:
    save(tmp_path, ["a.arrow"], _indices_data_files=[{"filename": "indices.arrow"}])
    with pytest.raises(DataError, match=r"chosen by another file; load and save"):
        find_row_files(tmp_path)
