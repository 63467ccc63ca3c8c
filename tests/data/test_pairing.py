from pathlib import Path

import pytest

from pictures import ids, save_pairs, save_picture
from segnext.data.pairing import (
    Item,
    keep_labelled,
    pair_folders,
    read_list,
    scan_pictures,
    select_listed,
)
from segnext.errors import DataError


def _items(*names: str) -> tuple[Item, ...]:
    return tuple(Item(name, Path(f"{name}.jpg"), Path(f"{name}.png"), name) for name in names)


def test_scan_names_pictures_by_their_relative_path(tmp_path: Path) -> None:
    for name in ("b.PNG", "street/a.jpg", ".hidden.png", ".cache/c.png"):
        save_picture(tmp_path / name)
    (tmp_path / "notes.txt").touch()
    (tmp_path / "folder.png").mkdir()
    assert list(scan_pictures(tmp_path)) == ["b", "street/a"]


def test_two_pictures_of_one_name(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.jpg")
    save_picture(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.jpg and .*a\.png have one name"):
        scan_pictures(tmp_path)


@pytest.mark.parametrize(
    ("photo", "mask"),
    [
        ("a.jpg", "a.png"),
        ("a.jpg", "a_mask.png"),
        ("a.jpg", "a_L.png"),
        ("sub/a.jpg", "sub/a_gt.png"),
        ("x_leftImg8bit.png", "x_labelIds.png"),
        ("x_leftImg8bit.png", "x_gtFine_labelTrainIds.png"),
    ],
)
def test_masks_found_by_name(tmp_path: Path, photo: str, mask: str) -> None:
    save_pairs(tmp_path, {f"images/{photo}": f"masks/{mask}"})
    notes: list[str] = []
    items = pair_folders(tmp_path / "images", tmp_path / "masks", notes)
    assert [item.mask_path for item in items] == [tmp_path / "masks" / mask]
    assert not notes


def test_the_plain_name_wins(tmp_path: Path) -> None:
    save_pairs(tmp_path, {"images/a.jpg": "masks/a.png"})
    save_picture(tmp_path / "masks/a_mask.png", ids(0))
    notes: list[str] = []
    (item,) = pair_folders(tmp_path / "images", tmp_path / "masks", notes)
    assert item.mask_path == tmp_path / "masks/a.png"
    assert notes == [f"{tmp_path / 'masks'}: 1 masks without an image: a_mask"]


def test_nothing_pairs(tmp_path: Path) -> None:
    save_pairs(tmp_path, {"images/a.jpg": "masks/b.png"})
    with pytest.raises(DataError, match=r"no image has a mask; .* image a\.jpg and.* b\.png"):
        pair_folders(tmp_path / "images", tmp_path / "masks", [])


def test_no_pictures(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no picture"):
        pair_folders(tmp_path, None, [])


def test_images_without_a_mask_are_left_out_and_named() -> None:
    lone = Item("c", Path("c.jpg"), None, "c")
    notes: list[str] = []
    assert keep_labelled([*_items("a", "b"), lone], "train", notes) == _items("a", "b")
    assert notes == ["train: 1 images without a mask left out: c"]


def test_a_split_without_any_mask_stays() -> None:
    lone = Item("c", Path("c.jpg"), None, "c")
    notes: list[str] = []
    assert keep_labelled([lone], "test", notes) == (lone,)
    assert notes == ["test: its 1 images have no masks"]


@pytest.mark.parametrize("entry", ["s/a", "s/a.jpg", "./images/s/a.jpg", "images\\s\\a.jpg"])
def test_list_entries(entry: str) -> None:
    chosen = select_listed(_items("a", "s/a"), [(1, entry)], Path("train.txt"))
    assert chosen == _items("s/a")


@pytest.mark.parametrize("entry", ["b", "../a.jpg", "/images/a.jpg", "C:\\images\\a.jpg"])
def test_list_entries_that_name_nothing(entry: str) -> None:
    with pytest.raises(DataError, match=r"train\.txt, line 7: .* none of the 1 images, such as a"):
        select_listed(_items("a"), [(7, entry)], Path("train.txt"))


def test_list_file(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_bytes("\ufeffa\r\n\r\n b \r\n".encode())
    assert read_list(path) == [(1, "a"), (3, "b")]


def test_list_file_that_is_empty_or_no_text(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.touch()
    with pytest.raises(DataError, match="the list is empty"):
        read_list(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="is not UTF-8 text"):
        read_list(path)
