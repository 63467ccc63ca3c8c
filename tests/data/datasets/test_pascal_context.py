from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from detail_files import save_detail
from pictures import ids, save_picture
from segnext.data.datasets.detail_json import DetailMasks
from segnext.data.datasets.pascal_context import (
    CLASSES,
    CLASSES_59,
    PASCAL_CONTEXT_59,
    detect,
    plan,
    read,
    read_59,
)
from segnext.data.datasets.prepare import prepare
from segnext.data.folder import open_folder
from segnext.errors import DataError

NAMES = {"train": "2008_000002", "val": "2008_000003"}


def save_photos(base: Path, lists: str) -> Path:
    for split, name in NAMES.items():
        save_picture(base / f"JPEGImages/{name}.jpg")
        path = base / f"ImageSets/{lists}/{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n")
    return base


def save_converted(base: Path) -> Path:
    save_photos(base, "SegmentationContext")
    for name in NAMES.values():
        save_picture(base / f"SegmentationClassContext/{name}.png", ids(0, 1, 59))
    return base


def save_published(base: Path, *values: int) -> Path:
    """Write masks of the 459 labels, in which 1 (accordion) is none of the 59."""
    save_photos(base, "Main")
    (base / "trainval").mkdir()
    for name in NAMES.values():
        mask = np.resize(np.array(values or (1, 2, 458), np.uint16), (20, 30))
        savemat(base / f"trainval/{name}.mat", {"LabelMap": mask})
    return base


@pytest.mark.parametrize("inside", ["", "VOC2010"])
def test_what_mmsegmentation_makes(tmp_path: Path, inside: str) -> None:
    save_converted(tmp_path / inside)
    assert detect(tmp_path)
    folder = open_folder(tmp_path)
    assert folder.classes == CLASSES
    assert {split: len(part) for split, part in folder.splits.items()} == {"train": 1, "val": 1}
    np.testing.assert_array_equal(folder.dataset("val")[0]["mask"], ids(0, 1, 59))


def test_59_classes_ignore_background(tmp_path: Path) -> None:
    save_converted(tmp_path)
    folder = open_folder(tmp_path, format="pascal_context59")
    assert folder.classes == CLASSES_59
    np.testing.assert_array_equal(folder.dataset("val")[0]["mask"], ids(255, 0, 58))
    assert not PASCAL_CONTEXT_59.detect(tmp_path)


def test_the_publishers_matlab_files(tmp_path: Path) -> None:
    save_published(tmp_path)
    assert detect(tmp_path)
    folder = open_folder(tmp_path)
    want = np.resize([0, 1, 59], (20, 30))
    np.testing.assert_array_equal(folder.dataset("train")[0]["mask"], want)


@pytest.mark.parametrize("place", ["trainval/labels.txt", "labels.txt"])
def test_labels_are_found_by_name_where_names_are_given(tmp_path: Path, place: str) -> None:
    save_published(tmp_path, 1, 100, 158)
    lines = ["1: accordion\n", *(f"{100 + i}: {n}\n" for i, n in enumerate(CLASSES_59.names))]
    for missing in (lines[:-1], [*lines[:-1], "70000: wood\n"]):
        (tmp_path / place).write_text("".join(missing))
        with pytest.raises(DataError, match=r"labels\.txt: names no label wood; it should have"):
            read(tmp_path)
    (tmp_path / place).write_text("".join(lines))
    mask = open_folder(tmp_path).dataset("train")[0]["mask"]
    np.testing.assert_array_equal(mask, np.resize([0, 1, 59], (20, 30)))


def test_pascal_in_detail(tmp_path: Path) -> None:
    save_photos(tmp_path / "VOC2010", "Main")
    save_detail(tmp_path / "trainval_merged.json")
    assert detect(tmp_path)
    folder = open_folder(tmp_path)
    assert isinstance(folder.dataset("train").reader, DetailMasks)
    assert {split: len(part) for split, part in folder.splits.items()} == {"train": 1, "val": 1}
    np.testing.assert_array_equal(folder.dataset("train")[0]["mask"], ids(1, 59, 0))


@pytest.mark.parametrize("source", ["mat", "json"])
@pytest.mark.parametrize("name", ["pascal_context", "pascal_context59"])
def test_prepared_masks_are_pictures_and_lists(tmp_path: Path, source: str, name: str) -> None:
    root, out = tmp_path / "VOC2010", tmp_path / "out"
    if source == "mat":
        save_published(root)
    else:
        save_photos(root, "Main")
        save_detail(root / "trainval_merged.json")
    before = open_folder(root, format=name).dataset("train")[0]["mask"]
    for _ in range(2):
        prepare(name, root, out, partial=True, workers=0)
    folder = open_folder(out)
    item = folder.dataset("train").items[0]
    assert item.mask_path == out / "SegmentationClassContext/2008_000002.png"
    np.testing.assert_array_equal(folder.dataset("train")[0]["mask"], before)
    assert (out / "ImageSets/SegmentationContext/val.txt").read_text() == "2008_000003\n"


def test_both_pairs_of_counts_are_right(tmp_path: Path) -> None:
    save_converted(tmp_path)
    message = (
        r"train of Pascal Context with background has 4,996 or 4,998 pictures, found 1; download"
    )
    with pytest.raises(DataError, match=message):
        prepare("pascal_context", tmp_path, tmp_path / "out")
    assert plan(tmp_path) == []


def test_unknown_label_broken_mask_and_wrong_folder(tmp_path: Path) -> None:
    base = save_converted(tmp_path / "VOC2010")
    save_picture(base / "SegmentationClassContext/2008_000002.png", ids(0, 60))
    train = open_folder(tmp_path).dataset("train")
    with pytest.raises(DataError, match=r"2008_000002\.png: 300 pixels hold the value 60"):
        train.mask(0)
    (base / "ImageSets/SegmentationContext/val.txt").unlink()
    with pytest.raises(DataError, match=r"val\.txt: cannot be read"):
        read(tmp_path)
    (tmp_path / "empty").mkdir()
    assert not detect(tmp_path / "empty")
    with pytest.raises(DataError, match=r"no JPEGImages with SegmentationClassContext, trainval"):
        read_59(tmp_path / "empty")
    (save_photos(tmp_path / "other", "Main") / "trainval").mkdir()
    with pytest.raises(DataError, match=r"no listed picture with a mask in .*trainval"):
        read(tmp_path / "other")
