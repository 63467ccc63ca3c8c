import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pictures import ids, save_picture
from segnext.data.datasets.cityscapes import (
    CITYSCAPES_COARSE,
    CLASSES,
    detect,
    detect_coarse,
    read,
)
from segnext.data.folder import open_folder
from segnext.data.masks import read_stored
from segnext.errors import DataError, UsageError

LABELS = ids(0, 7, 33)


def save_frame(root: Path, split: str, city: str, kind: str, *, labels: str = "labelIds") -> None:
    name = f"{city}_000001_000019"
    save_picture(root / f"leftImg8bit/{split}/{city}/{name}_leftImg8bit.png")
    if kind:
        mask = LABELS if labels == "labelIds" else ids(255, 0, 18)
        save_picture(root / f"{kind}/{split}/{city}/{name}_{kind}_{labels}.png", mask)


def save_fine(root: Path) -> Path:
    for split, city in (("train", "aachen"), ("val", "lindau"), ("test", "berlin")):
        save_frame(root, split, city, "gtFine")
    return root


def test_label_ids_are_read_as_they_are(tmp_path: Path) -> None:
    assert detect(save_fine(tmp_path))
    folder = open_folder(tmp_path)
    assert folder.classes == CLASSES
    item = folder.dataset("train")[0]
    assert item["name"] == "aachen_000001_000019"
    np.testing.assert_array_equal(item["mask"], ids(255, 0, 18))
    assert folder.dataset("val").items[0].group == "lindau_000001"


def test_masks_of_test_are_not_used(tmp_path: Path) -> None:
    layout = read(save_fine(tmp_path))
    assert [item.mask_path for item in layout.splits["test"]] == [None]
    assert "test: its 1 images have no masks" in layout.notes


def test_train_ids_are_read_only_where_nothing_else_is(tmp_path: Path) -> None:
    for split, city in (("train", "aachen"), ("val", "lindau")):
        save_frame(tmp_path, split, city, "gtFine", labels="labelTrainIds")
    folder = open_folder(tmp_path)
    np.testing.assert_array_equal(folder.dataset("train")[0]["mask"], ids(255, 0, 18))
    assert any("labelTrainIds" in note for note in folder.notes)
    save_fine(tmp_path)
    mask = read(tmp_path).splits["train"][0].mask_path
    assert mask is not None
    assert mask.name == "aachen_000001_000019_gtFine_labelIds.png"


def test_coarse_masks_add_train_extra(tmp_path: Path) -> None:
    save_fine(tmp_path)
    for split, city in (("train", "aachen"), ("train_extra", "bad-honnef"), ("val", "lindau")):
        save_frame(tmp_path, split, city, "gtCoarse")
    layout = read(tmp_path, coarse=True)
    train = {item.name: item.mask_path for item in layout.splits["train"]}
    assert list(train) == ["bad-honnef_000001_000019", "aachen_000001_000019"]
    assert all("gtCoarse" in str(path) for path in train.values())
    assert "gtFine" in str(layout.splits["val"][0].mask_path)
    assert CITYSCAPES_COARSE.read(tmp_path).splits == layout.splits
    assert detect(tmp_path)
    assert not detect_coarse(tmp_path)
    shutil.rmtree(tmp_path / "gtFine")
    assert detect_coarse(tmp_path)
    assert "gtCoarse" in str(read(tmp_path, coarse=True).splits["val"][0].mask_path)
    with pytest.raises(UsageError, match=r"coarse='yes': should be true or false"):
        read(tmp_path, coarse="yes")  # type: ignore[arg-type]


def test_the_archives_are_read_as_they_are(tmp_path: Path) -> None:
    save_fine(tmp_path / "all")
    for kind in ("leftImg8bit", "gtFine"):
        with zipfile.ZipFile(tmp_path / f"{kind}_trainvaltest.zip", "w") as packed:
            for path in (tmp_path / "all" / kind).rglob("*.png"):
                packed.write(path, path.relative_to(tmp_path / "all"))
    shutil.rmtree(tmp_path / "all")
    assert detect(tmp_path)
    folder = open_folder(tmp_path)
    np.testing.assert_array_equal(folder.dataset("val")[0]["mask"], ids(255, 0, 18))


def test_the_sample_without_folders_of_cities(shared: Path) -> None:
    root = shared / "data/layout_samples/cityscapes"
    assert detect(root)
    layout = read(root)
    (item,) = layout.pool
    assert (item.name, item.group) == ("frankfurt_000000_000294", "frankfurt_000000")
    assert layout.masks is not None
    assert item.mask_path is not None
    name = item.mask_path.name.replace("labelIds", "labelTrainIds")
    _, made_by_scripts = read_stored(item.mask_path.with_name(name))
    # Both were shrunk by themselves, so a few pixels at borders differ.
    assert (layout.masks.read(item) == made_by_scripts[..., 0]).mean() > 0.997


def test_unknown_label_broken_and_double_files(tmp_path: Path) -> None:
    save_fine(tmp_path)
    mask = tmp_path / "gtFine/train/aachen/aachen_000001_000019_gtFine_labelIds.png"
    save_picture(mask, ids(7, 34))
    with pytest.raises(DataError, match=r"labelIds\.png: 300 pixels hold the value 34"):
        open_folder(tmp_path).dataset("train").mask(0)
    mask.write_bytes(mask.read_bytes()[:60])
    with pytest.raises(DataError, match=r"labelIds\.png"):
        open_folder(tmp_path).dataset("train").mask(0)
    save_picture(tmp_path / "gtFine/train/copy/aachen_000001_000019_gtFine_labelIds.png", LABELS)
    with pytest.raises(DataError, match=r"are both of aachen_000001_000019; keep one"):
        read(tmp_path)


def test_masks_without_pictures_and_no_masks(tmp_path: Path) -> None:
    save_fine(tmp_path)
    save_picture(tmp_path / "gtFine/train/bonn/bonn_000001_000019_gtFine_labelIds.png", LABELS)
    notes = read(tmp_path).notes
    assert "gtFine: 1 masks without an image: bonn_000001_000019" in notes
    shutil.rmtree(tmp_path / "gtFine")
    assert not detect(tmp_path)
    with pytest.raises(DataError, match=r"no leftImg8bit/train with gtFine/train, .*found leftImg"):
        read(tmp_path)


def test_photos_and_masks_of_others_are_not_cityscapes(tmp_path: Path) -> None:
    save_picture(tmp_path / "leftImg8bit/train/a.png")
    save_picture(tmp_path / "gtFine/train/a.png", ids(0, 1))
    assert not detect(tmp_path)
    assert not detect_coarse(tmp_path)
