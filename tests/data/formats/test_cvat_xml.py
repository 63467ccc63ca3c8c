import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opening import masks_by_name
from pictures import save_picture, save_splits
from segnext.data.folder import open_folder
from segnext.data.formats.cvat_xml import detect, read
from segnext.data.layout import Layout
from segnext.errors import DataError, UsageError

HEAD = """
<version>1.1</version>
<meta><task><name>field</name><labels>
  <label><name>road</name><color>#ff0000</color><type>any</type><attributes></attributes></label>
  <label><name>car</name><color>#0000ff</color><type>polygon</type></label>
  <label><name>good</name><color>#00ff00</color><type>tag</type></label>
  <label><name>1</name><type>any</type><parent>hand</parent></label>
</labels></task><dumped>2026-05-04</dumped></meta>
"""
ROAD = '<box label="road" xtl="0" ytl="10" xbr="30" ybr="20" occluded="0" z_order="0"></box>'
CAR = '<polygon label="car" points="5,8;15,8;15,14;5,14" z_order="1"/>'


def image(name: str, *shapes: str, **attributes: Any) -> str:
    told = {"id": 0, "name": name, "width": 30, "height": 20, **attributes}
    text = " ".join(f'{key}="{value}"' for key, value in told.items() if value is not None)
    return f"<image {text}>{''.join(shapes)}</image>"


def save(root: Path, *images: str, photos: tuple[str, ...] = ("a.jpg",), head: str = HEAD) -> Path:
    for photo in photos:
        save_picture(root / "images" / photo)
    body = head + "".join(images)
    (root / "annotations.xml").write_text(
        f'<?xml version="1.0" encoding="utf-8"?>\n<annotations>{body}</annotations>\n',
        encoding="utf-8",
    )
    return root


def only_mask(layout: Layout) -> Any:
    (item,) = layout.pool
    assert layout.masks is not None
    return layout.masks.read(item)


def test_an_export_is_found_and_read(tmp_path: Path) -> None:
    mask = '<mask label="car" rle="0,4" left="20" top="2" width="2" height="2" z_order="0"/>'
    save(tmp_path, image("a.jpg", CAR, ROAD, mask), image("b.jpg"), photos=("a.jpg", "b.jpg"))
    folder = open_folder(tmp_path)
    assert folder.classes.names == ("background", "road", "car")
    assert folder.classes.colors == ((0, 0, 0), (255, 0, 0), (0, 0, 255))
    assert folder.notes[1].startswith("looks like annotations of CVAT for images; --format folder")
    assert "1 pictures without a shape: background throughout: images/b" in folder.notes
    expected = np.zeros((20, 30), np.uint8)
    expected[10:] = 1
    expected[8:14, 5:15] = 2
    expected[2:4, 20:22] = 2
    masks = masks_by_name(tmp_path)
    np.testing.assert_array_equal(masks["images/a"], expected)
    assert not masks["images/b"].any()


def test_z_order_decides_before_the_order_of_the_file(tmp_path: Path) -> None:
    first = CAR.replace('z_order="1"', 'z_order="0"')
    assert only_mask(read(save(tmp_path, image("a.jpg", first, ROAD))))[12, 8] == 1
    assert only_mask(read(save(tmp_path, image("a.jpg", ROAD, first))))[12, 8] == 2
    above = CAR.replace('z_order="1"', 'z_order="-1"')
    assert only_mask(read(save(tmp_path, image("a.jpg", ROAD, above))))[12, 8] == 1
    nothing = CAR.replace('z_order="1"', "")
    assert only_mask(read(save(tmp_path, image("a.jpg", ROAD, nothing))))[12, 8] == 2


def test_subsets_are_splits(tmp_path: Path) -> None:
    images = [image("a.jpg", ROAD, subset="Train"), image("a.jpg", CAR, subset="Validation")]
    save(tmp_path, *images, photos=("Train/a.jpg", "Validation/a.jpg"))
    layout = read(tmp_path)
    names = {split: [item.name for item in items] for split, items in layout.splits.items()}
    assert names == {"train": ["images/Train/a"], "val": ["images/Validation/a"]}
    save(tmp_path / "one", image("a.jpg", ROAD, subset="default"))
    assert len(read(tmp_path / "one").pool) == 1


def test_frames_of_a_video_have_no_suffix(tmp_path: Path) -> None:
    save(tmp_path, image("frame_000001", ROAD), photos=("frame_000001.PNG",))
    assert read(tmp_path).pool[0].image_path.name == "frame_000001.PNG"


def test_shapes_without_an_area_are_said(tmp_path: Path) -> None:
    odd = ['<polyline label="car" points="0,0;1,1"/>', '<points label="car" points="1,1"/>'] * 2
    layout = read(save(tmp_path, image("a.jpg", ROAD, *odd, '<tag label="good"/>')))
    assert layout.notes[0] == "labels without an area, skipped: 2 points, 2 polyline, 1 tag"


def test_labels_of_a_project_and_of_a_job(tmp_path: Path) -> None:
    for level in ("project", "job"):
        head = HEAD.replace("task>", f"{level}>")
        layout = read(save(tmp_path, image("a.jpg", ROAD), head=head))
        assert layout.masks is not None
        assert layout.masks.classes.names == ("background", "road", "car")


def test_labels_are_found_where_the_head_lists_none(tmp_path: Path) -> None:
    layout = read(save(tmp_path, image("a.jpg", ROAD, CAR), head=""))
    assert layout.masks is not None
    assert layout.masks.classes.names == ("background", "car", "road")
    assert layout.notes[0] == "classes: the file lists none, so these were found: car, road"


def test_a_label_called_background(tmp_path: Path) -> None:
    head = HEAD.replace("<name>car<", "<name>background<")
    hole = CAR.replace("car", "background")
    mask = only_mask(read(save(tmp_path, image("a.jpg", ROAD, hole), head=head)))
    assert (mask[12, 8], mask[18, 8], mask[0, 0]) == (0, 1, 0)


def test_unlabelled_pixels_may_be_ignored(tmp_path: Path) -> None:
    save(tmp_path, image("a.jpg", ROAD), image("b.jpg"), photos=("a.jpg", "b.jpg"))
    layout = read(tmp_path, unlabelled="ignore")
    assert sorted(np.unique(only_mask(layout))) == [0, 255]
    assert "1 pictures without a shape: left out, for unlabelled pixels are ignored: images/b" in (
        layout.notes
    )
    with pytest.raises(UsageError, match=r"unlabelled: 'no'"):
        read(tmp_path, unlabelled="no")


def test_an_export_in_an_archive(tmp_path: Path) -> None:
    save(tmp_path / "set", image("a.jpg", ROAD), image("b.jpg", CAR), photos=("a.jpg", "b.jpg"))
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in (tmp_path / "set").rglob("*.*"):
            archive.write(path, path.relative_to(tmp_path / "set"))
    masks = masks_by_name(tmp_path / "set.zip")
    assert [int(masks[name].sum()) for name in sorted(masks)] == [300, 120]


def test_pictures_elsewhere(tmp_path: Path) -> None:
    save(tmp_path, image("a.jpg", ROAD), photos=("old/a.jpg", "new/a.jpg"))
    with pytest.raises(DataError, match=r"image 'a\.jpg': 'a\.jpg' may mean images/new/a\.jpg"):
        read(tmp_path)
    assert read(tmp_path, images="images/new").pool[0].name == "a"
    with pytest.raises(DataError, match=r"leads out of the data set"):
        read(tmp_path, images="../photos")


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (image("b.jpg", ROAD), r"image 'b\.jpg': there is no picture 'b\.jpg' below .*export with"),
        (image("../../etc/passwd", ROAD), r"there is no picture '\.\./\.\./etc/passwd'"),
        (image("a.jpg", ROAD, width=None), r"image 'a\.jpg': None x 20 is no size of a picture"),
        (image("a.jpg", ROAD, width=10**9, height=10**9), r"is no size of a picture"),
        (image("a.jpg", ROAD, CAR.replace("car", "cat")), r"shape 2 \(polygon\): unknown label 'c"),
        (image("a.jpg", CAR.replace('z_order="1"', 'z_order="x"')), r"z_order must be a number"),
        (image("a.jpg", '<mask label="car"/>'), r"shape 1 \(mask\): left must be a number"),
        (image("a.jpg", ROAD) * 2, r"annotations\.xml: the picture images/a is annotated twice"),
        ("<track id='0' label='car'/>", r"holds tracks of a video; export as CVAT for images 1\.1"),
    ],
)
def test_broken_annotations(tmp_path: Path, broken: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(save(tmp_path, broken))


def test_a_wrong_size_stops_at_the_check(tmp_path: Path) -> None:
    photos = ("a.jpg", "b.jpg")
    save(tmp_path, image("a.jpg", ROAD, width=31), image("b.jpg", ROAD, width=31), photos=photos)
    with pytest.raises(DataError, match=r"annotations\.xml: 31x20 pixels, but its image .* 30x20"):
        masks_by_name(tmp_path)


BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><annotations>&b;</annotations>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, r"declares entities or a document type"),
        ('<!DOCTYPE x SYSTEM "http://x"><annotations/>', r"declares entities or a document type"),
        ("<annotations><image", r"is no valid XML \("),
        ('<?xml version="1.0" encoding="big5"?><annotations/>', r"is no valid XML \(multi-byte"),
        ('<?xml version="1.0" encoding="klingon"?><annotations/>', r"is no valid XML \(unknown"),
        ("", r"is no valid XML \("),
        ("<annotation><folder/></annotation>", r"is no file of CVAT, which starts with <annotatio"),
        ("<annotations/>", r"holds no label; label some pictures"),
    ],
)
def test_broken_files(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "annotations.xml").write_text(text)
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"annotations\.xml: cannot be read \(No such file"):
        read(tmp_path)


def test_the_package_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "defusedxml", None)
    with pytest.raises(UsageError, match=r'pip install "segnext\[annotations\]"'):
        read(save(tmp_path, image("a.jpg", ROAD)))


def test_other_folders_are_not_taken_for_exports(tmp_path: Path) -> None:
    save_splits(tmp_path, train=1, val=1)
    (tmp_path / "annotations.xml").write_text("<annotation><object/></annotation>")
    assert not detect(tmp_path)
    (tmp_path / "annotations.xml").write_bytes(b"\xff\xfe\x00")
    assert not detect(tmp_path)
    (tmp_path / "broken.zip").write_bytes(b"no archive")
    assert not detect(tmp_path / "broken.zip")
