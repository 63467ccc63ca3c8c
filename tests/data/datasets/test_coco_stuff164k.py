import zipfile
from pathlib import Path

import numpy as np
import pytest

from pictures import ids, save_picture
from segnext.data.datasets.coco_stuff164k import CLASSES, detect, read
from segnext.data.folder import open_folder
from segnext.errors import DataError


def save_coco(
    root: Path,
    images: str = "images",
    masks: str = "annotations",
    ending: str = "",
    labels: tuple[int, ...] = (0, 12, 181, 255),
) -> Path:
    for split in ("train2017", "val2017"):
        for number in (9, 25):
            save_picture(root / images / split / f"{number:012}.jpg")
            save_picture(root / masks / split / f"{number:012}{ending}.png", ids(*labels))
    return root


@pytest.mark.parametrize(
    ("images", "masks"),
    [("images", "annotations"), ("images", "stuffthingmaps"), ("", "stuffthingmaps")],
)
def test_raw_ids_become_171_classes(tmp_path: Path, images: str, masks: str) -> None:
    assert detect(save_coco(tmp_path, images, masks))
    folder = open_folder(tmp_path)
    assert folder.classes == CLASSES
    assert {split: len(part) for split, part in folder.splits.items()} == {"train": 2, "val": 2}
    item = folder.dataset("val")[0]
    assert item["name"] == "000000000009"
    np.testing.assert_array_equal(item["mask"], ids(0, 11, 170, 255))


def test_train_ids_of_mmsegmentation(tmp_path: Path) -> None:
    save_coco(tmp_path, ending="_labelTrainIds", labels=(0, 11, 170, 255))
    assert detect(tmp_path)
    folder = open_folder(tmp_path)
    np.testing.assert_array_equal(folder.dataset("train")[0]["mask"], ids(0, 11, 170, 255))
    assert any("labelTrainIds" in note for note in folder.notes)
    # Beside the masks they were made from, as the converter leaves them.
    save_coco(tmp_path)
    folder = open_folder(tmp_path)
    np.testing.assert_array_equal(folder.dataset("train")[0]["mask"], ids(0, 11, 170, 255))
    assert not any("labelTrainIds" in note or "without" in note for note in folder.notes)


def test_the_archives_are_read_as_they_are(tmp_path: Path) -> None:
    save_coco(tmp_path / "all", "")
    for name, source in (
        ("train2017.zip", "train2017"),
        ("val2017.zip", "val2017"),
        ("stuffthingmaps_trainval2017.zip", "annotations"),
    ):
        base = tmp_path / "all" / ("annotations" if source == "annotations" else "")
        with zipfile.ZipFile(tmp_path / name, "w") as packed:
            for path in (tmp_path / "all" / source).rglob("*.*"):
                packed.write(path, path.relative_to(base))
    assert detect(tmp_path)
    np.testing.assert_array_equal(
        open_folder(tmp_path).dataset("val")[1]["mask"], ids(0, 11, 170, 255)
    )


def test_unknown_label_broken_and_missing_masks(tmp_path: Path) -> None:
    save_coco(tmp_path)
    masks = tmp_path / "annotations/train2017"
    save_picture(masks / "000000000009.png", ids(0, 182))
    (masks / "000000000025.png").write_bytes(b"")
    train = open_folder(tmp_path, format="coco_stuff164k").dataset("train")
    with pytest.raises(DataError, match=r"000000000009\.png: 300 pixels hold the value 182"):
        train.mask(0)
    with pytest.raises(DataError, match=r"000000000025\.png: the file is empty"):
        train.mask(1)
    (masks / "000000000025.png").unlink()
    notes = read(tmp_path).notes
    assert any("train: 1 images without a mask left out: 000000000025" in note for note in notes)


def test_coco_without_stuff_is_not_taken_for_it(tmp_path: Path) -> None:
    save_picture(tmp_path / "images/train2017/000000000009.jpg")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/instances_train2017.json").write_text("{}")
    assert not detect(tmp_path)
    with pytest.raises(DataError, match=r"no images/train2017 with masks .*Get it: train2017\.zip"):
        read(tmp_path)
