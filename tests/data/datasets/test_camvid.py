from pathlib import Path

import numpy as np
import pytest

from pictures import ids, save_pairs, save_picture
from segnext.data import open_folder
from segnext.data.datasets.camvid import (
    CAMVID,
    CAMVID_32,
    CLASSES,
    CLASSES_32,
    PALETTE_32,
    group_colors,
    read,
    read_32,
    split_of,
)
from segnext.errors import DataError

FRAMES = {"train": "0006R0_f00930", "val": "0016E5_07959", "test": "Seq05VD_f00000"}
COLORS = np.array(PALETTE_32, np.uint8)[np.arange(600).reshape(20, 30) % 32]


def write_original(root: Path, *frames: str) -> Path:
    pairs = {
        f"701_StillsRaw_full/{frame}.png": f"LabeledApproved_full/{frame}_L.png" for frame in frames
    }
    save_pairs(root, pairs, COLORS)
    (root / "label_colors.txt").write_text("64 128 64\tAnimal\n")
    return root


@pytest.mark.parametrize(
    ("photos", "masks"), [("{}/images/{}.jpg", "{}/masks/{}.png"), ("{}/{}.png", "{}annot/{}.png")]
)
def test_eleven_classes_as_ids(tmp_path: Path, photos: str, masks: str) -> None:
    pairs = {photos.format(*pair): masks.format(*pair) for pair in FRAMES.items()}
    folder = open_folder(save_pairs(tmp_path, pairs, ids(0, 10, 11)))
    assert any("looks like CamVid" in note for note in folder.notes)
    assert {split: len(part) for split, part in folder.splits.items()} == dict.fromkeys(FRAMES, 1)
    assert folder.dataset("val").items[0].name == "0016E5_07959"
    expected = np.resize([0, 10, 255], 30)[None].repeat(20, 0)
    np.testing.assert_array_equal(folder.dataset("val").mask(0), expected)
    with pytest.raises(DataError, match=r"11-class form; camvid32 needs LabeledApproved_full"):
        read_32(tmp_path)


def test_colors_become_eleven_classes_or_all(tmp_path: Path) -> None:
    write_original(tmp_path, *FRAMES.values())
    eleven = open_folder(tmp_path)
    every = open_folder(tmp_path, format="camvid32")
    assert eleven.classes.names == CLASSES.names
    assert every.classes.num_classes == 31
    assert [part.items[0].name for part in eleven.splits.values()] == list(FRAMES.values())
    names = {
        CLASSES_32.names[wide]: CLASSES.names[narrow]
        for wide, narrow in zip(
            every.dataset("val").mask(0).flat, eleven.dataset("val").mask(0).flat, strict=True
        )
        if wide != 255
    }
    assert len(names) == 31
    assert names["SUVPickupTruck"] == "car"
    assert names["ParkingBlock"] == "pavement"
    assert names["Tunnel"] == "building"
    assert names["TrafficLight"] == "signsymbol"
    void = (np.array((0, 0, 0)) == COLORS).all(axis=2)
    np.testing.assert_array_equal(eleven.dataset("val").mask(0) == 255, void)
    np.testing.assert_array_equal(every.dataset("val").mask(0) == 255, void)


def test_folders_of_splits_in_color(tmp_path: Path) -> None:
    pairs = {f"{s}/{frame}.png": f"{s}_labels/{frame}_L.png" for s, frame in FRAMES.items()}
    folder = open_folder(save_pairs(tmp_path, pairs, COLORS))
    assert folder.dataset("test").items[0].name == FRAMES["test"]
    assert set(np.unique(folder.dataset("test").mask(0))) == {*range(11), 255}


def test_label_maps() -> None:
    assert group_colors().names == CLASSES.names
    assert len(set(PALETTE_32)) == 32
    assert dict(CLASSES_32.raw_to_train)[30] is None
    assert dict(CLASSES.raw_to_train)[11] is None


def test_frames_go_where_the_lists_put_them(shared: Path) -> None:
    root = shared / "data/camvid"
    for split in FRAMES:
        names = [path.stem for path in (root / split / "images").iterdir()]
        assert {split_of(name) for name in names} == {split}
    assert split_of("frame_1") is None
    assert split_of("0001TP_008520") == "train"
    assert split_of("0001TP_008550") == "test"


def test_other_streets_are_left_alone(tmp_path: Path) -> None:
    save_pairs(tmp_path / "a", {"train/images/street.png": "train/masks/street.png"})
    assert not CAMVID.detect(tmp_path / "a")
    assert not CAMVID.detect(tmp_path / "absent")
    root = save_pairs(tmp_path / "b", {"train/0001TP_006690.png": "trainannot/0001TP_006690.png"})
    assert CAMVID.detect(root)
    assert not CAMVID_32.detect(root)
    (root / "classes.txt").write_text("road\ncar\n")
    assert not CAMVID.detect(root)
    (root / "classes.txt").write_text("\n".join(CLASSES.names))
    assert CAMVID.detect(root)
    (root / "classes.txt").write_bytes(b"\xff\xfe\xff")
    assert not CAMVID.detect(root)


def test_odd_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none of train/images \+ train/masks, train \+ trainanno"):
        read(tmp_path)
    write_original(tmp_path, "0001TP_006690", "extra")
    with pytest.raises(DataError, match=r"extra\.png: is no frame of CamVid"):
        read(tmp_path)
    (tmp_path / "701_StillsRaw_full/0001TP_006690.png").unlink()
    (tmp_path / "701_StillsRaw_full/extra.png").unlink()
    with pytest.raises(DataError, match=r"701_StillsRaw_full: holds no picture"):
        read(tmp_path)


def test_unknown_labels_are_refused(tmp_path: Path) -> None:
    write_original(tmp_path / "a", *FRAMES.values())
    folder = open_folder(tmp_path / "a")
    path = tmp_path / "a/LabeledApproved_full/0016E5_07959_L.png"
    save_picture(path, np.full((20, 30, 3), (1, 2, 3), np.uint8))
    with pytest.raises(DataError, match=r"07959_L\.png: 600 pixels have the colour 1,2,3"):
        folder.dataset("val").mask(0)
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"07959_L\.png: the file is empty"):
        folder.dataset("val").mask(0)
    root = save_pairs(tmp_path / "b", {"train/0001TP_006690.png": "trainannot/0001TP_006690.png"})
    save_picture(root / "trainannot/0001TP_006690.png", ids(12))
    layout = read(root)
    assert layout.masks is not None
    with pytest.raises(DataError, match=r"600 pixels hold the value 12"):
        layout.masks.read(layout.splits["train"][0])
