from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from pictures import ids, save_picture
from segnext.data.datasets.coco_stuff10k import CLASSES, detect, plan, read
from segnext.data.datasets.prepare import prepare
from segnext.data.folder import open_folder
from segnext.errors import DataError

NAMES = {"train": [77, 81], "test": [92]}


def save_published(root: Path) -> Path:
    for listed, numbers in NAMES.items():
        names = [f"COCO_train2014_{number:012}" for number in numbers]
        for name in names:
            save_picture(root / f"images/{name}.jpg")
            (root / "annotations").mkdir(exist_ok=True)
            savemat(root / f"annotations/{name}.mat", {"S": ids(0, 1, 13, 182).astype(np.uint16)})
        (root / "imageLists").mkdir(exist_ok=True)
        (root / f"imageLists/{listed}.txt").write_text("\n".join(names) + "\n")
    return root


def save_converted(root: Path) -> Path:
    for folder, numbers in (("train2014", NAMES["train"]), ("test2014", NAMES["test"])):
        for number in numbers:
            name = f"COCO_train2014_{number:012}"
            save_picture(root / f"images/{folder}/{name}.jpg")
            mask = root / f"annotations/{folder}/{name}_labelTrainIds.png"
            save_picture(mask, ids(0, 1, 12, 171))
    return root


@pytest.mark.parametrize("save", [save_published, save_converted])
def test_both_forms_are_the_same_classes(tmp_path: Path, save: object) -> None:
    assert callable(save)
    assert detect(save(tmp_path))
    folder = open_folder(tmp_path)
    assert folder.classes.names == CLASSES.names
    assert {split: len(part) for split, part in folder.splits.items()} == {"train": 2, "val": 1}
    item = folder.dataset("val")[0]
    assert item["name"] == "COCO_train2014_000000000092"
    np.testing.assert_array_equal(item["mask"], ids(255, 0, 11, 170))


def test_converted_in_place_is_read_once(tmp_path: Path) -> None:
    save_converted(save_published(tmp_path))
    assert {split: len(part) for split, part in read(tmp_path).splits.items()} == {
        "train": 2,
        "val": 1,
    }
    assert plan(tmp_path) == []


def test_prepared_masks_are_pictures(tmp_path: Path) -> None:
    root, out = save_published(tmp_path / "cocostuff"), tmp_path / "out"
    prepare("coco_stuff10k", root, out, partial=True, workers=0)
    made = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png"))
    assert made == [f"annotations_png/COCO_train2014_{number:012}.png" for number in (77, 81, 92)]
    slow = "masks: 3 are read from .mat or .json, which is slow"
    assert any(note.startswith(slow) for note in open_folder(root).notes)
    folder = open_folder(out)
    assert not any("slow" in note for note in folder.notes)
    train = folder.dataset("train")
    assert all(item.mask_path and item.mask_path.suffix == ".png" for item in train.items)
    np.testing.assert_array_equal(train[0]["mask"], ids(255, 0, 11, 170))


def test_listed_pictures_that_are_missing(tmp_path: Path) -> None:
    save_published(tmp_path)
    (tmp_path / "images/COCO_train2014_000000000077.jpg").unlink()
    (tmp_path / "annotations/COCO_train2014_000000000081.mat").unlink()
    with pytest.raises(DataError, match=r"train of COCO-Stuff 10k has 9,000 pictures, found 1"):
        prepare("coco_stuff10k", tmp_path, tmp_path / "out")
    notes = read(tmp_path).notes
    assert any(note.startswith("train: 1 of 2 listed pictures are not there") for note in notes)


def test_broken_and_wrong_folders(tmp_path: Path) -> None:
    root = save_published(tmp_path / "cocostuff")
    broken = root / "annotations/COCO_train2014_000000000077.mat"
    broken.write_bytes(broken.read_bytes()[:140])
    with pytest.raises(DataError, match=r"000000000077\.mat: holds no array S"):
        open_folder(root).dataset("train").mask(0)
    with pytest.raises(DataError, match=r"000000000077\.mat: holds no array S"):
        prepare("coco_stuff10k", root, tmp_path / "out", partial=True, workers=0)
    assert not (tmp_path / "out/data.yaml").exists()
    (root / "imageLists/test.txt").unlink()
    with pytest.raises(DataError, match=r"no images, annotations, imageLists/train\.txt and"):
        read(root)
