import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from pictures import PHOTO, ids, save_pairs, save_picture, save_splits
from segnext.data.folder import open_folder
from segnext.errors import DataError, UsageError


def test_items(tmp_path: Path) -> None:
    save_splits(tmp_path, train=3, val=1)
    (tmp_path / "classes.txt").write_text("road\nsky\n")
    folder = open_folder(tmp_path)
    train = folder.dataset("train")
    item = train[1]
    assert (len(train), train.split, train.channels) == (3, "train", 3)
    assert item["name"] == "train_1"
    assert item["image"].shape == (20, 30, 3)
    np.testing.assert_array_equal(item["mask"], ids(0, 1))
    assert folder.classes.names == train.classes.names == ("road", "sky")
    assert (folder.root, folder.channels, folder.bits) == (tmp_path, 3, 8)
    assert "splits: train 3, val 1" in folder.notes
    train.check()


def test_unknown_split(tmp_path: Path) -> None:
    save_splits(tmp_path, train=2, val=1)
    with pytest.raises(DataError, match="no split 'test'; there are train, val"):
        open_folder(tmp_path).dataset("test")


def test_datasets_can_be_sent_to_workers(tmp_path: Path) -> None:
    save_splits(tmp_path, train=2, val=1)
    train = open_folder(str(tmp_path)).dataset("train")
    copy = pickle.loads(pickle.dumps(train))
    assert copy == train
    np.testing.assert_array_equal(copy[0]["image"], train[0]["image"])


def test_val_is_carved_from_train(tmp_path: Path) -> None:
    save_splits(tmp_path, train=20, test=1)
    folder = open_folder(tmp_path)
    assert {split: len(part) for split, part in folder.splits.items()} == {
        "train": 18,
        "val": 2,
        "test": 1,
    }
    assert "no val given: carved from train by a hash with seed 0" in folder.notes


def test_pool_is_split_by_groups(tmp_path: Path) -> None:
    names = [f"v{video}_{frame}" for video in range(5) for frame in range(2)]
    save_pairs(tmp_path, {f"images/{name}.jpg": f"masks/{name}.png" for name in names})
    folder = open_folder(tmp_path, group=r"v\d", split_seed=4)
    groups = [{item.group for item in part.items} for part in folder.splits.values()]
    assert [len(names) for names in groups] == [3, 1, 1]
    assert len(set().union(*groups)) == 5
    assert "no splits given: split by a hash with seed 4" in folder.notes


def test_group_in_two_splits_is_said(tmp_path: Path) -> None:
    save_splits(tmp_path, train=1, val=1)
    notes = open_folder(tmp_path, group=r"(\d)$").notes
    assert any(note.startswith("leak: 1 groups lie in several splits") for note in notes)


def test_wrong_label_stops_at_the_check(tmp_path: Path) -> None:
    save_splits(tmp_path, train=3, val=1)
    save_picture(tmp_path / "train/masks/train_2.png", ids(0, 11))
    (tmp_path / "classes.txt").write_text("road\nsky\n")
    with pytest.raises(DataError, match=r"train_2\.png: .* value 11, .*--ignore-index 11"):
        open_folder(tmp_path).dataset("train").check()
    train = open_folder(tmp_path, ignore_index=(11,)).dataset("train")
    train.check()
    np.testing.assert_array_equal(train[2]["mask"], ids(0, 255))


def test_masks_of_another_size(tmp_path: Path) -> None:
    save_splits(tmp_path, train=1, val=1)
    save_picture(tmp_path / "train/masks/train_0.png", ids(0, 1)[:, :10])
    train = open_folder(tmp_path).dataset("train")
    message = r"train_0\.png: 10x20 pixels, but its image .*train_0\.jpg has 30x20"
    with pytest.raises(DataError, match=message):
        train.check()
    with pytest.raises(DataError, match=message):
        train[0]


def test_mask_drawn_on_the_unrotated_picture(tmp_path: Path) -> None:
    save_splits(tmp_path, train=1, val=1)
    exif = Image.Exif()
    exif[0x0112] = 6
    save_picture(tmp_path / "train/images/train_0.jpg", exif=exif)
    with pytest.raises(DataError, match=r"has 20x30; the mask looks drawn on the unrotated pict"):
        open_folder(tmp_path).dataset("train").check()


def test_split_without_masks(tmp_path: Path) -> None:
    save_splits(tmp_path, train=1, val=1)
    save_picture(tmp_path / "test/images/t.jpg")
    folder = open_folder(tmp_path)
    folder.dataset("train").check()
    assert folder.dataset("test").image(0).shape == (20, 30, 3)
    with pytest.raises(DataError, match="the test split has no masks"):
        folder.dataset("test").check()


def test_no_masks_at_all(tmp_path: Path) -> None:
    save_picture(tmp_path / "train/images/a.jpg")
    save_picture(tmp_path / "val/images/b.jpg")
    with pytest.raises(DataError, match="there are images but no masks; understood are"):
        open_folder(tmp_path)


def test_grey_among_rgb_is_repeated(tmp_path: Path) -> None:
    save_splits(tmp_path, train=2, val=1)
    save_picture(tmp_path / "train/images/train_0.jpg", PHOTO[..., 0])
    folder = open_folder(tmp_path)
    assert folder.channels == 3
    assert folder.dataset("train").image(0).shape == (20, 30, 3)
    assert any(note.startswith("images: some are grey") for note in folder.notes)


def test_other_mixes_of_channels(tmp_path: Path) -> None:
    save_splits(tmp_path, train=2, val=1)
    (tmp_path / "train/images/train_0.jpg").unlink()
    tifffile.imwrite(
        tmp_path / "train/images/train_0.tif", np.zeros((20, 30, 5), np.uint8),
        photometric="minisblack", planarconfig="contig",
    )  # fmt: skip
    with pytest.raises(DataError, match=r"differ .* channels: .*\.jpg \(3\) and .*0\.tif \(5\)"):
        open_folder(tmp_path)


def test_sixteen_bit_is_said(tmp_path: Path) -> None:
    save_splits(tmp_path, train=2, val=1)
    (tmp_path / "train/images/train_0.jpg").unlink()
    save_picture(tmp_path / "train/images/train_0.png", PHOTO[..., 0].astype(np.uint16) * 257)
    folder = open_folder(tmp_path)
    assert folder.bits == 16
    assert folder.notes[-1] == (
        "images: 16-bit values are divided by 65535, 8-bit values by 255 (both are there)"
    )


def test_data_yaml_of_a_folder_and_by_path(tmp_path: Path) -> None:
    save_pairs(
        tmp_path,
        {"images/train/a.jpg": "masks/train/a.png", "images/val/b.jpg": "masks/val/b.png"},
        ids(0, 1, 9),
    )
    text = "train: images/train\nval: images/val\nnames: [road, sky]\nignore_index: 9\n"
    (tmp_path / "data.yaml").write_text(text)
    for root in (tmp_path, tmp_path / "data.yaml"):
        folder = open_folder(root)
        assert (folder.root, folder.classes.names) == (tmp_path, ("road", "sky"))
        np.testing.assert_array_equal(folder.dataset("train")[0]["mask"], ids(0, 1, 255))


def test_classes_file_elsewhere(tmp_path: Path) -> None:
    save_splits(tmp_path / "data", train=1, val=1)
    (tmp_path / "names.txt").write_text("road\nvoid\n")
    folder = open_folder(tmp_path / "data", classes_file=tmp_path / "names.txt")
    assert folder.classes.names == ("road", "void")
    assert any(note.startswith("names.txt: void counts as a class") for note in folder.notes)
    with pytest.raises(DataError, match=r"absent\.txt: cannot be read"):
        open_folder(tmp_path / "data", classes_file=tmp_path / "absent.txt")


def test_ignore_index_out_of_range(tmp_path: Path) -> None:
    save_splits(tmp_path, train=1, val=1)
    with pytest.raises(UsageError, match=r"outside 0\.\.65535"):
        open_folder(tmp_path, ignore_index=(70_000,))


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder or archive"):
        open_folder(tmp_path / "absent")


@pytest.mark.camvid
def test_camvid(shared: Path) -> None:
    root = shared / "data" / "camvid"
    folder = open_folder(root, ignore_index=(11,))
    assert [len(folder.dataset(split)) for split in ("train", "val", "test")] == [367, 101, 233]
    assert folder.classes.num_classes == 11
    folder.dataset("val").check(limit=20)
    with pytest.raises(DataError, match="--ignore-index 11"):
        open_folder(root, format="folder").dataset("train").check(limit=20)
