from pathlib import Path

import pytest

from segnext.data.datasets.listed_pictures import (
    find_first,
    list_items,
    read_ids,
    write_ids,
    wrong_root,
)
from segnext.errors import DataError


def test_lists_of_names_and_of_pairs_of_paths(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_bytes(write_ids("b", "a"))
    assert read_ids(path) == ("a", "b")
    path.write_text(
        "/JPEGImages/2007_000032.jpg /SegmentationClassAug/2007_000032.png\n\nb -1\nb\n"
    )
    assert read_ids(path) == ("2007_000032", "b")


def test_missing_and_empty_lists(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train\.txt: cannot be read"):
        read_ids(tmp_path / "train.txt")
    (tmp_path / "train.txt").write_text("\n")
    with pytest.raises(DataError, match=r"train\.txt: the list is empty"):
        read_ids(tmp_path / "train.txt")


def test_the_first_mask_wins_and_what_is_not_there_is_said() -> None:
    photos = {name: Path(f"images/{name}.jpg") for name in ("a", "b", "c")}
    masks = [{"a": Path("fine/a.png")}, {"a": Path("other/a.png"), "b": Path("other/b.png")}]
    notes: list[str] = []
    items = list_items(("a", "b", "c", "../d"), photos, masks, "train", notes)
    assert [(item.name, item.mask_path) for item in items] == [
        ("a", Path("fine/a.png")),
        ("b", Path("other/b.png")),
        ("c", None),
    ]
    assert notes == ["train: 1 of 4 listed pictures are not there: ../d"]


def test_a_wrong_folder_is_told_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    message = str(wrong_root(tmp_path, "images", "https://example.org"))
    assert message == f"{tmp_path}: no images; found holiday. Get it: https://example.org"
    assert find_first((tmp_path / "none", tmp_path / "holiday")) == tmp_path / "holiday"
    assert find_first((tmp_path / "none",)) is None
