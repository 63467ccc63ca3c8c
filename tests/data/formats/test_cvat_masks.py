import zipfile
from pathlib import Path

import numpy as np
import pytest

from opening import masks_by_name
from pictures import ids, save_pairs, save_picture, save_splits
from segnext.data.folder import open_folder
from segnext.data.formats.cvat_masks import detect, read, read_label_map
from segnext.errors import DataError

LABEL_MAP = """# label:color_rgb:parts:actions
road:128,64,128::
background:0,128,0::
car:0,0,142:wheel,door:drive
"""
ROAD, BACKGROUND, CAR = (128, 64, 128), (0, 128, 0), (0, 0, 142)
COLORS = np.broadcast_to(np.array([ROAD, BACKGROUND, CAR], np.uint8), (10, 3, 3))
MASK = np.tile(COLORS, (2, 10, 1))


def save(root: Path, label_map: str = LABEL_MAP, **lists: str) -> Path:
    """Write an export of two pictures; lists are names of subsets and their lines."""
    for name in ("a", "sub/b c"):
        save_picture(root / f"JPEGImages/{name}.jpg")
        save_picture(root / f"SegmentationClass/{name}.png", MASK)
        save_picture(root / f"SegmentationObject/{name}.png", MASK[::-1, ::-1])
    (root / "labelmap.txt").write_text(label_map)
    folder = root / "ImageSets/Segmentation"
    folder.mkdir(parents=True)
    for name, text in (lists or {"default": 'a\n"sub/b c"\n'}).items():
        (folder / f"{name}.txt").write_text(text)
    return root


def test_an_export_is_found_and_read(tmp_path: Path) -> None:
    folder = open_folder(save(tmp_path))
    assert folder.classes.names == ("background", "road", "car")
    assert folder.classes.colors == (BACKGROUND, ROAD, CAR)
    assert any("looks like segmentation masks of CVAT" in note for note in folder.notes)
    masks = masks_by_name(tmp_path)
    assert sorted(masks) == ["a", "sub/b c"]
    for mask in masks.values():
        np.testing.assert_array_equal(mask, ids(1, 0, 2))


def test_grey_masks_hold_the_places_of_the_labels(tmp_path: Path) -> None:
    save(tmp_path)
    for name in ("a", "sub/b c"):
        save_picture(tmp_path / f"SegmentationClass/{name}.png", ids(0, 1, 2))
    np.testing.assert_array_equal(masks_by_name(tmp_path)["a"], ids(1, 0, 2))


def test_lists_are_splits(tmp_path: Path) -> None:
    layout = read(save(tmp_path, Train="a\n", Validation="sub/b c\n"))
    names = {split: [item.name for item in items] for split, items in layout.splits.items()}
    assert names == {"train": ["a"], "val": ["sub/b c"]}
    (tmp_path / "ImageSets/Segmentation/val.txt").write_text("a\n")
    with pytest.raises(DataError, match=r"val\.txt: another list is for val too; join them"):
        read(tmp_path)


def test_without_lists_all_masks_count(tmp_path: Path) -> None:
    save(tmp_path)
    (tmp_path / "ImageSets/Segmentation/default.txt").unlink()
    assert len(read(tmp_path).pool) == 2


def test_pictures_that_do_not_pair_are_said(tmp_path: Path) -> None:
    save(tmp_path, default="a\nsub/b c\n")
    save_picture(tmp_path / "JPEGImages/new.jpg")
    save_picture(tmp_path / "SegmentationClass/lost.png", MASK)
    notes = read(tmp_path).notes
    assert any("1 masks without an image: lost" in note for note in notes)
    assert "1 pictures are in no list: new" in notes


def test_an_export_in_an_archive_without_images(tmp_path: Path) -> None:
    save(tmp_path / "set")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in (tmp_path / "set").rglob("*.*"):
            archive.write(path, path.relative_to(tmp_path / "set"))
    np.testing.assert_array_equal(masks_by_name(tmp_path / "set.zip")["a"], ids(1, 0, 2))
    (tmp_path / "set/JPEGImages").rename(tmp_path / "set/photos")
    with pytest.raises(DataError, match=r"no folder JPEGImages, .*options: images"):
        read(tmp_path / "set")
    assert len(read(tmp_path / "set", images="photos").pool) == 2
    with pytest.raises(DataError, match=r"options: images: there is no folder pics"):
        read(tmp_path / "set", images="pics")
    with pytest.raises(DataError, match=r"leads out of the data set"):
        read(tmp_path / "set", images="../set/photos")


def test_a_colour_that_is_not_in_the_label_map(tmp_path: Path) -> None:
    save(tmp_path, LABEL_MAP.replace("0,0,142", "0,0,143"))
    with pytest.raises(DataError, match=r"200 pixels have the colour 0,0,142.*labelmap"):
        masks_by_name(tmp_path)


def test_broken_mask_and_unknown_entry(tmp_path: Path) -> None:
    save(tmp_path)
    (tmp_path / "SegmentationClass/a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(DataError, match=r"a\.png"):
        read(tmp_path)
    (tmp_path / "ImageSets/Segmentation/default.txt").write_text("../a\n")
    with pytest.raises(DataError, match=r"default\.txt, line 1: '\.\./a' is none of the 2 images"):
        read(tmp_path)


def test_missing_parts(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labelmap\.txt: cannot be read"):
        read(tmp_path)
    (tmp_path / "labelmap.txt").write_text(LABEL_MAP)
    with pytest.raises(DataError, match=r"has no folder SegmentationClass; export as Segmentation"):
        read(tmp_path)


def test_label_maps(tmp_path: Path) -> None:
    path = tmp_path / "labelmap.txt"
    path.write_text("a:b:1, 2,3:x:y\n\nsky:0,0,0::\n")
    assert [(label.value, label.name, label.color) for label in read_label_map(path)] == [
        (0, "a:b", (1, 2, 3)),
        (1, "sky", (0, 0, 0)),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("road\n", r"line 1: 'road' is no line of a label map; write label:r,g,b::"),
        ("road:::\n", r"line 1: 'road:::' is no line"),
        ("# c\nroad:1,2,300::\n", r"line 2: .* with a colour from 0 to 255"),
        ("# only a comment\n", r"lists no label"),
    ],
)
def test_broken_label_maps(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "labelmap.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        read_label_map(tmp_path / "labelmap.txt")


def test_other_folders_are_not_taken_for_exports(tmp_path: Path) -> None:
    save_splits(tmp_path, train=1, val=1)
    save_pairs(tmp_path, {"JPEGImages/a.jpg": "SegmentationClass/a.png"})
    assert not detect(tmp_path)
    (tmp_path / "labelmap.txt").write_text("0 road\n1 car\n")
    assert not detect(tmp_path)
    assert not detect(tmp_path / "nowhere")
