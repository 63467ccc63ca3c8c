from pathlib import Path

import pytest

from pictures import save_pairs, save_picture
from segnext.data.datasets.named_files import (
    check_choice,
    check_switch,
    find_named,
    has_name,
    has_prepared_folders,
    pair_by_name,
    read_names,
    read_prepared,
    sample_names,
)
from segnext.data.patches import picture_of
from segnext.errors import DataError, UsageError


def test_files_are_found_by_name_at_any_depth(tmp_path: Path) -> None:
    for name in ("b/c/t_2_10.png", "t_1_9.png", "b/t_3.png", "b/.hidden/t_4_4.png"):
        save_picture(tmp_path / name)
    found = find_named(tmp_path, r"[^/]*/t_(\d+)_(\d+)\.png")
    assert found == {"1_9": tmp_path / "t_1_9.png", "2_10": tmp_path / "b/c/t_2_10.png"}
    assert list(find_named(tmp_path, r"c/t_(\d+)_(\d+)\.png")) == ["2_10"]
    save_picture(tmp_path / "d/t_2_10.png")
    with pytest.raises(DataError, match=r"are both of 2_10; keep one of them"):
        find_named(tmp_path, r"[^/]*/t_(\d+)_(\d+)\.png")


def test_a_quick_look_does_not_go_on_for_ever(tmp_path: Path) -> None:
    (tmp_path / "1.d/2/3/4").mkdir(parents=True)
    (tmp_path / "1.d/2/3/x.png").touch()
    (tmp_path / "1.d/2/3/4/y.png").touch()
    for index in range(30):
        (tmp_path / f"1.d/2/{index:02}.txt").touch()
    assert has_name(tmp_path, r"x\.png")
    assert not has_name(tmp_path, r"y\.png")
    assert has_name(tmp_path, r"29\.txt")
    assert not has_name(tmp_path / "absent", r".*")
    assert not has_name(tmp_path / "1.d/2/00.txt", r".*")
    for index in range(400):
        (tmp_path / f"many/{index}").mkdir(parents=True)
        (tmp_path / f"many/{index}/z.png").touch()
    assert 6 <= len(list(sample_names(tmp_path / "many"))) <= 48
    assert len(list(sample_names(tmp_path))) <= 40


def test_prepared_splits_keep_their_groups_and_tell_what_is_odd(tmp_path: Path) -> None:
    pairs = {
        "img_dir/train/t_0_0_4_4.png": "ann_dir/train/t_0_0_4_4_L.png",
        "img_dir/train/u.png": "",
        "img_dir/val/v.png": "ann_dir/val/v_L.png",
        "img_dir/test/w.png": "",
    }
    save_pairs(tmp_path, pairs)
    save_picture(tmp_path / "ann_dir/train/lost_L.png")
    assert has_prepared_folders(tmp_path)
    layout = read_prepared(tmp_path, picture_of, "_L")
    (item,) = layout.splits["train"]
    assert (item.name, item.group) == ("t_0_0_4_4", "t")
    assert item.mask_path == tmp_path / "ann_dir/train/t_0_0_4_4_L.png"
    assert [len(layout.splits[split]) for split in ("val", "test")] == [1, 1]
    assert any("1 masks without an image: lost_L" in note for note in layout.notes)
    assert any("train: 1 images without a mask left out: u" in note for note in layout.notes)


def test_prepared_folders_without_splits_are_a_pool(tmp_path: Path) -> None:
    save_pairs(tmp_path, {"img_dir/a.png": "ann_dir/a.png", "img_dir/b.png": "ann_dir/b.png"})
    layout = read_prepared(tmp_path, str)
    assert not layout.splits
    assert [item.name for item in layout.pool] == ["a", "b"]


def test_prepared_folders_without_pairs_are_refused(tmp_path: Path) -> None:
    save_pairs(tmp_path, {"img_dir/train/a.png": "ann_dir/train/b.png"})
    with pytest.raises(DataError, match=r"no image has a mask; looked for a, and found, among 1 m"):
        read_prepared(tmp_path, str)
    (tmp_path / "ann_dir/train/b.png").unlink()
    with pytest.raises(DataError, match=r"ann_dir: no mask belongs to a picture of img_dir"):
        read_prepared(tmp_path, str)
    (tmp_path / "img_dir/train/a.png").unlink()
    with pytest.raises(DataError, match=r"train: holds no picture; copy the data set again"):
        read_prepared(tmp_path, str)
    with pytest.raises(DataError, match=r"img_dir: holds no picture"):
        pair_by_name(tmp_path / "img_dir", tmp_path / "ann_dir", str, "", [])


def test_options_are_checked() -> None:
    check_choice("kind", "a", ("a", "b"))
    check_switch("clutter", False)
    with pytest.raises(UsageError, match=r"kind=3: should be one of a, b"):
        check_choice("kind", 3, ("a", "b"))
    with pytest.raises(UsageError, match=r"clutter='no': should be true or false"):
        check_switch("clutter", "no")
    assert read_names("skip", "P1, P2,") == read_names("skip", ["P1", "P2"]) == {"P1", "P2"}
    assert read_names("skip", ()) == set()
    with pytest.raises(UsageError, match=r"skip=710: should be names, in quotes"):
        read_names("skip", 710)
    with pytest.raises(UsageError, match=r"skip=\[7\]: should be names"):
        read_names("skip", [7])
