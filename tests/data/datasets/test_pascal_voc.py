from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from pictures import PHOTO, ids, save_picture
from segnext.data.arrangement import arrange
from segnext.data.checkup import check_data
from segnext.data.datasets.pascal_voc import CLASSES, detect, plan, read
from segnext.data.datasets.prepare import prepare
from segnext.data.folder import open_folder
from segnext.errors import DataError

TRAIN, VAL = ["2007_000032", "2011_003256"], ["2007_000033"]
# SBD knows both of VOC's splits, and its own pictures.
SBD_TRAIN, SBD_VAL = ["2008_000002", "2007_000032"], ["2008_000003", "2007_000033"]


def save_palette(path: Path, *values: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with Image.fromarray(ids(*values), mode="P") as picture:
        picture.putpalette([part for color in CLASSES.colors for part in color])
        picture.save(path)


def save_list(path: Path, names: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}\n" for name in names))


def save_voc(base: Path) -> Path:
    for index, name in enumerate({*TRAIN, *VAL, *SBD_TRAIN, *SBD_VAL}):
        # No two alike.
        save_picture(base / f"JPEGImages/{name}.jpg", np.roll(PHOTO, 40 * index))
    for name in (*TRAIN, *VAL):
        save_palette(base / f"SegmentationClass/{name}.png", 0, 1, 20, 255)
    lists = base / "ImageSets/Segmentation"
    save_list(lists / "train.txt", TRAIN)
    save_list(lists / "val.txt", VAL)
    save_list(lists / "trainval.txt", TRAIN + VAL)
    save_list(lists / "test.txt", ["2008_000006"])
    return base


def save_sbd(place: Path) -> Path:
    for name in {*SBD_TRAIN, *SBD_VAL}:
        (place / "cls").mkdir(parents=True, exist_ok=True)
        savemat(place / f"cls/{name}.mat", {"GTcls": {"Segmentation": ids(0, 2)}})
    save_list(place / "train.txt", SBD_TRAIN)
    save_list(place / "val.txt", SBD_VAL)
    return place


def counts(root: Path, **options: str) -> dict[str, int]:
    return {split: len(part) for split, part in read(root, **options).splits.items()}


@pytest.mark.parametrize("inside", ["", "VOC2012", "VOCdevkit/VOC2012"])
def test_palette_indices_are_classes(tmp_path: Path, inside: str) -> None:
    save_voc(tmp_path / inside)
    assert detect(tmp_path)
    folder = open_folder(tmp_path)
    assert folder.classes == CLASSES
    assert not any("test" in note or "slow" in note for note in folder.notes)
    assert counts(tmp_path) == {"train": 2, "val": 1, "trainval": 3}
    np.testing.assert_array_equal(folder.dataset("val")[0]["mask"], ids(0, 1, 20, 255))
    # That trainval holds train and val is no leak.
    assert not any(note.startswith("leak") for note in folder.notes)
    chosen = folder.choose_splits(train="trainval", val="val")
    assert {split: len(part) for split, part in chosen.splits.items()} == {"train": 3, "val": 1}


def test_trainaug_is_sbd_and_train_less_val(tmp_path: Path) -> None:
    save_voc(tmp_path / "VOC2012")
    save_sbd(tmp_path / "benchmark_RELEASE/dataset")
    train = open_folder(tmp_path).dataset("trainaug")
    assert [item.name for item in train.items] == [
        "2007_000032",
        "2008_000002",
        "2008_000003",
        "2011_003256",
    ]
    # VOC's own mask where there is one, SBD's for the others.
    np.testing.assert_array_equal(train[0]["mask"], ids(0, 1, 20, 255))
    np.testing.assert_array_equal(train[1]["mask"], ids(0, 2))


def test_each_picture_is_checked_once(tmp_path: Path) -> None:
    save_voc(tmp_path / "VOC2012")
    save_sbd(tmp_path / "benchmark_RELEASE/dataset")
    splits = arrange(tmp_path).without_repeats().splits
    assert {split: [item.name for item in part] for split, part in splits.items()} == {
        "train": TRAIN,
        "val": VAL,
        "trainaug": ["2008_000002", "2008_000003"],
    }
    codes = {finding.code for finding in check_data(tmp_path, workers=0).findings}
    assert "same_picture_in_splits" not in codes


def test_prepared_trainaug_is_pictures_and_a_list(tmp_path: Path) -> None:
    save_voc(tmp_path / "VOC2012")
    sbd = save_sbd(tmp_path / "elsewhere/dataset").parent
    out = tmp_path / "out"
    for _ in range(2):
        prepare("pascal_voc", tmp_path, out, partial=True, workers=0, sbd=str(sbd))
    made = sorted(path.name for path in (out / "SegmentationClassAug").iterdir())
    assert made == ["2008_000002.png", "2008_000003.png"]
    assert (out / "ImageSets/Segmentation/trainaug.txt").read_text().split() == [
        "2007_000032",
        "2008_000002",
        "2008_000003",
        "2011_003256",
    ]
    folder = open_folder(out)
    train = folder.dataset("trainaug")
    assert all(item.mask_path and item.mask_path.suffix == ".png" for item in train.items)
    np.testing.assert_array_equal(train[2]["mask"], ids(0, 2))


@pytest.mark.parametrize("listed", ["aug", "trainaug"])
def test_what_mmsegmentation_users_have(tmp_path: Path, listed: str) -> None:
    save_voc(tmp_path)
    names = ["2008_000002", "2008_000003"]
    for name in names:
        save_picture(tmp_path / f"SegmentationClassAug/{name}.png", ids(0, 2))
    pairs = [f"/JPEGImages/{name}.jpg /SegmentationClassAug/{name}.png" for name in names]
    save_list(
        tmp_path / f"ImageSets/Segmentation/{listed}.txt",
        names if listed == "aug" else pairs + TRAIN,
    )
    assert counts(tmp_path)["trainaug"] == 4
    np.testing.assert_array_equal(open_folder(tmp_path).dataset("trainaug")[1]["mask"], ids(0, 2))
    assert plan(tmp_path) == []


def test_half_of_it_is_refused(tmp_path: Path) -> None:
    save_voc(tmp_path)
    with pytest.raises(DataError, match=r"train of Pascal VOC 2012 has 1,464 pictures, found 2;"):
        prepare("pascal_voc", tmp_path, tmp_path / "out")


def test_unknown_label_broken_mask_and_wrong_places(tmp_path: Path) -> None:
    save_voc(tmp_path)
    mask = tmp_path / "SegmentationClass/2007_000032.png"
    save_picture(mask, ids(0, 21))
    train = open_folder(tmp_path).dataset("train")
    with pytest.raises(DataError, match=r"2007_000032\.png: 300 pixels hold the value 21"):
        train.mask(0)
    mask.write_bytes(b"GIF89a")
    with pytest.raises(DataError, match=r"2007_000032\.png: not a JPEG"):
        train.mask(0)
    (tmp_path / "nowhere").mkdir()
    with pytest.raises(DataError, match=r"nowhere: no folder cls of SBD"):
        read(tmp_path, sbd=str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"no JPEGImages with SegmentationClass .*VOCtrainval_11"):
        read(tmp_path / "nowhere")


def test_exports_in_the_same_layout_are_not_voc(tmp_path: Path) -> None:
    save_picture(tmp_path / "JPEGImages/a.jpg")
    save_picture(tmp_path / "SegmentationClass/a.png", ids(0, 1))
    save_list(tmp_path / "ImageSets/Segmentation/train.txt", ["a"])
    assert not detect(tmp_path)
    (tmp_path / "ImageSets/Segmentation/train.txt").write_bytes(b"\xff\xfe\x00")
    assert not detect(tmp_path)
