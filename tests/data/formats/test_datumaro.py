import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from opening import masks_by_name
from pictures import save_picture, save_splits
from segnext.data.folder import open_folder
from segnext.data.formats.datumaro import detect, read
from segnext.data.layout import Layout
from segnext.errors import DataError, UsageError

Json = dict[str, Any]

CATEGORIES = {
    "label": {
        "labels": [
            {"name": "road", "parent": "", "attributes": []},
            {"name": "car", "parent": "", "attributes": []},
        ],
        "attributes": ["occluded"],
    },
    "mask": {
        "colormap": [
            {"label_id": 0, "r": 128, "g": 64, "b": 128},
            {"label_id": 1, "r": 0, "g": 0, "b": 142},
        ]
    },
}
BLOB = np.zeros((20, 30), np.uint8)
BLOB[3:7, 22:29] = 1


def shape(kind: str, label: int | None, z_order: int = 0, **values: Any) -> Json:
    attributes = values.pop("attributes", {"occluded": False})
    told = {"id": 0, "type": kind, "attributes": attributes, "group": 0, "label_id": label}
    return {**told, "z_order": z_order, **values}


ROAD = shape("bbox", 0, bbox=[0.0, 10.0, 30.0, 10.0])
CAR = shape("polygon", 1, points=[5.0, 8.0, 15.0, 8.0, 15.0, 14.0, 5.0, 14.0])


def bitmap(label: int, pixels: Any = BLOB) -> Json:
    rle = coco_mask.encode(np.asfortranarray(pixels))
    return shape("mask", label, rle={"counts": rle["counts"].decode(), "size": list(rle["size"])})


def item(name: str, *shapes: Json, path: str | None = None, size: Any = (20, 30)) -> Json:
    picture = {"path": path or f"{name}.jpg"}
    return {
        "id": name,
        "annotations": list(shapes),
        "attr": {"frame": 0},
        "image": picture if size is None else {**picture, "size": list(size)},
    }


def save(root: Path, photos: tuple[str, ...] = ("a.jpg",), **subsets: list[Json]) -> Path:
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    for subset, items in subsets.items():
        content = {"info": {}, "categories": CATEGORIES, "items": items}
        (root / "annotations" / f"{subset}.json").write_text(json.dumps(content))
        for photo in photos:
            save_picture(root / "images" / subset / photo)
    return root


def only_mask(layout: Layout) -> Any:
    (only,) = layout.pool
    assert layout.masks is not None
    return layout.masks.read(only)


def test_a_data_set_is_found_and_read(tmp_path: Path) -> None:
    save(tmp_path, train=[item("a", ROAD, CAR, bitmap(1))], val=[item("a")])
    folder = open_folder(tmp_path)
    # Raw ids are those of the file, so the background takes the next.
    assert folder.classes.names == ("background", "road", "car")
    assert folder.classes.raw_to_train == ((0, 1), (1, 2), (2, 0))
    assert folder.classes.colors == ((0, 0, 0), (128, 64, 128), (0, 0, 142))
    assert any("looks like Datumaro's JSON; --format folder" in note for note in folder.notes)
    expected = np.zeros((20, 30), np.uint8)
    expected[10:] = 1
    expected[8:14, 5:15] = 2
    expected[BLOB == 1] = 2
    masks = masks_by_name(tmp_path)
    np.testing.assert_array_equal(masks["images/train/a"], expected)
    assert not masks["images/val/a"].any()


def test_z_order_decides_before_the_order_of_the_file(tmp_path: Path) -> None:
    save(tmp_path, default=[item("a", CAR, ROAD)])
    assert only_mask(read(tmp_path))[12, 8] == 1
    save(tmp_path, default=[item("a", {**CAR, "z_order": 1}, ROAD)])
    assert only_mask(read(tmp_path))[12, 8] == 2


def test_boxes_and_ellipses_turn_about_their_centre(tmp_path: Path) -> None:
    box = shape("bbox", 0, bbox=[4, 9, 8, 2], attributes={"rotation": 90.0})
    oval = shape("ellipse", 1, points=[15, 8, 25, 12], attributes={"rotation": 90})
    mask = only_mask(read(save(tmp_path, default=[item("a", box, oval)])))
    rows, columns = np.nonzero(mask == 1)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (6, 13, 7, 8)
    rows, columns = np.nonzero(mask == 2)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 14, 18, 21)


def test_pictures_by_id_and_by_path(tmp_path: Path) -> None:
    items = [
        item("a", ROAD, path="/home/x/set/images/a.jpg"),
        item("deep/b.v2", ROAD, path="", size=None),
        {"id": "c", "annotations": [CAR], "media": {"path": "c.png"}},
    ]
    save(tmp_path, ("a.jpg", "deep/b.v2.png", "c.png"), default=items)
    layout = read(tmp_path)
    assert [part.name for part in layout.pool] == [
        "images/default/a",
        "images/default/c",
        "images/default/deep/b.v2",
    ]
    assert layout.masks is not None
    assert [layout.masks.read(part).shape for part in layout.pool] == [(20, 30)] * 3
    (tmp_path / "images/default/c.png").unlink()
    with pytest.raises(DataError, match=r"item 'c': there is no picture 'default/c\.png' below"):
        read(tmp_path)


def test_annotations_without_an_area_are_said(tmp_path: Path) -> None:
    odd = [shape("label", 1), shape("points", 0, points=[1, 2]), shape("caption", None)]
    nameless = shape("polygon", None, points=[0, 0, 1, 0, 1, 1])
    layout = read(save(tmp_path, default=[item("a", ROAD, *odd, nameless)]))
    assert layout.notes[0] == (
        "labels without an area, skipped: 1 caption, 1 label, 1 points, 1 polygon without a label"
    )


def test_unlabelled_pixels_may_be_ignored(tmp_path: Path) -> None:
    save(tmp_path, default=[item("a", ROAD)])
    mask = only_mask(read(tmp_path, unlabelled="ignore"))
    assert sorted(np.unique(mask)) == [0, 255]
    with pytest.raises(UsageError, match=r"unlabelled: 'void'"):
        read(tmp_path, unlabelled="void")


def test_pictures_elsewhere(tmp_path: Path) -> None:
    save(tmp_path, default=[item("a", ROAD)])
    save_picture(tmp_path / "photos/a.jpg")
    assert read(tmp_path, images="photos").pool[0].name == "a"


def test_a_data_set_in_an_archive(tmp_path: Path) -> None:
    save(tmp_path / "set", train=[item("a", ROAD)], val=[item("a", CAR)])
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in (tmp_path / "set").rglob("*.*"):
            archive.write(path, path.relative_to(tmp_path / "set"))
    masks = masks_by_name(tmp_path / "set.zip")
    assert [int(masks[name].sum()) for name in sorted(masks)] == [300, 120]


def test_subsets_with_different_labels(tmp_path: Path) -> None:
    save(tmp_path, train=[item("a", ROAD)], val=[item("a", ROAD)])
    path = tmp_path / "annotations/val.json"
    path.write_text(path.read_text().replace('"car"', '"bus"'))
    with pytest.raises(DataError, match=r"val\.json: has other labels than .*train\.json"):
        read(tmp_path)


def test_colours_that_cannot_be_used_are_made_up(tmp_path: Path) -> None:
    save(tmp_path, default=[item("a", ROAD)])
    path = tmp_path / "annotations/default.json"
    for wrong in ('"r": 999', '"r": "x"', '"red": 1'):
        path.write_text(path.read_text().replace('"r": 128', wrong))
        masks = read(tmp_path).masks
        assert masks is not None
        assert len(set(masks.classes.colors)) == 3
        assert masks.classes.colors[1] != (128, 64, 128)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({**CAR, "label_id": 2}, r"annotation 0: label_id 2 is none of the labels 0 to 1"),
        ({**CAR, "label_id": True}, r"label_id True is none of the labels"),
        ({**CAR, "z_order": "x"}, r"z_order must be a number, not 'x'"),
        ({**CAR, "points": None}, r"a polygon must list its numbers, not None"),
        ({**CAR, "points": [1, 2, 3, 4, 5]}, r"points must be pairs of numbers"),
        ({**CAR, "points": [1, 2, 3, 4]}, r"needs three points or more, not 2"),
        ({**ROAD, "bbox": [1, 2, 3]}, r"4 must be a number, not None"),
        (bitmap(1, BLOB[:10]), r"run lengths are for \[10, 30\], but the picture has \[20, 30\]"),
        (shape("mask", 1), r"annotation 0: its run lengths are for None"),
        (
            shape("mask", 1, rle={"counts": "~", "size": [20, 30]}),
            r"packed run lengths hold a char",
        ),
    ],
)
def test_broken_annotations(tmp_path: Path, broken: Json, message: str) -> None:
    save(tmp_path, default=[item("a", broken)])
    with pytest.raises(DataError, match=rf"default\.json: item 'a'.*{message}"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"items": 5}, r"must hold categories and a list of items"),
        ([], r"must hold categories and a list of items"),
        ({"items": [], "categories": {}}, r"categories lists no labels"),
        ({"items": [], "categories": {"label": {"labels": [{"name": 5}]}}}, r"lists no labels"),
        ({"items": [], "categories": CATEGORIES}, r"no picture has a labelled area"),
        ({"items": [{"id": "a", "annotations": 5}], "categories": CATEGORIES}, r"are malformed"),
        ({"items": [item("a", size=(0, 5))], "categories": CATEGORIES}, r"5 x 0 is no size"),
    ],
)
def test_broken_files(tmp_path: Path, content: Any, message: str) -> None:
    save(tmp_path, default=[])
    (tmp_path / "annotations/default.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no annotations/\*\.json; export in Datumaro's"):
        read(tmp_path)


def test_other_folders_are_not_taken_for_it(tmp_path: Path) -> None:
    save_splits(tmp_path, train=1, val=1)
    assert not detect(tmp_path)
    save(tmp_path, default=[])
    path = tmp_path / "annotations/default.json"
    path.write_text('{"info": {}, "images": [], "annotations": [], "categories": [{"id": 1}]}')
    assert not detect(tmp_path)
    assert not detect(tmp_path / "nowhere")
