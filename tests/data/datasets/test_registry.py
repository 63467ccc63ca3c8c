import zipfile
from pathlib import Path

import pytest

import segnext
from pictures import ids, save_picture, save_splits
from segnext.classes import BACKGROUND
from segnext.data.datasets.registry import DATASETS
from segnext.data.formats.registry import FORMATS
from segnext.errors import DataError

DOCS = (Path(__file__).resolve().parents[3] / "docs" / "datasets.md").read_text(encoding="utf-8")
OF_THE_PAPER = {"ade20k", "cityscapes", "coco_stuff164k", "pascal_voc", "pascal_context", "isaid"}


def test_names_are_listed() -> None:
    assert set(segnext.list_datasets()) == set(DATASETS)
    assert set(DATASETS) >= OF_THE_PAPER
    assert not set(DATASETS) & {*FORMATS, "folder"}


@pytest.mark.parametrize("name", DATASETS)
def test_what_is_said_of_zero_is_what_the_map_does(name: str) -> None:
    known = DATASETS[name]
    table = dict(known.classes.raw_to_train) or {0: 0}
    zero = "void" if table.get(0) is None else "class"
    if zero == "class" and known.classes.names[0] == BACKGROUND:
        zero = "background"
    assert known.zero == zero


@pytest.mark.parametrize("name", DATASETS)
def test_every_data_set_says_where_it_comes_from(name: str) -> None:
    known = DATASETS[name]
    assert known.title
    assert known.license
    assert known.obtain
    assert {"train", "val"} <= set(known.counts)
    assert all(known.allowed_counts(split) for split in known.counts)
    assert known.allowed_counts("nothing") == ()


@pytest.mark.parametrize("name", DATASETS)
def test_the_table_of_the_docs_says_the_same(name: str) -> None:
    row = next(line for line in DOCS.splitlines() if line.startswith(f"| `{name}` |"))
    known = DATASETS[name]
    _, _, classes, counts, zero, *_ = (cell.strip() for cell in row.split("|"))
    assert classes == str(known.classes.num_classes)
    for split in ("train", "val"):
        assert f"{known.allowed_counts(split)[0]:,}" in counts
    assert zero == (known.classes.names[0] if known.zero == "class" else known.zero)


@pytest.mark.parametrize("name", DATASETS)
def test_no_data_set_is_seen_in_other_folders(name: str, tmp_path: Path) -> None:
    known = DATASETS[name]
    plain = save_splits(tmp_path / "plain", train=2, val=1)
    odd = tmp_path / "odd"
    for folder in ("images/train", "masks/train", "annotations", "JPEGImages", "leftImg8bit"):
        save_picture(odd / folder / "0.png", ids(0, 1))
    (tmp_path / "file.txt").write_text("text")
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        archive.writestr("images/a.jpg", b"")
    for place in (plain, odd, tmp_path / "file.txt", tmp_path / "none", tmp_path / "some.zip"):
        assert known.detect(place) is False


@pytest.mark.parametrize("name", DATASETS)
def test_a_folder_of_other_things_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    with pytest.raises(DataError) as caught:
        DATASETS[name].read(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
