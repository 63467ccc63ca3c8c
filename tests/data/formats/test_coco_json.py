from pathlib import Path
from typing import Any

import pytest

from coco_files import annotation, box, content, save_coco
from segnext.data.formats.coco_json import Tally, collect_annotations, read_coco
from segnext.data.formats.shape_store import ShapeCollector, StoredShapes
from segnext.errors import DataError


def _collect(path: Path, values: Any) -> tuple[StoredShapes, Tally]:
    file = read_coco(save_coco(path / "a.json", values))
    shapes, tally = ShapeCollector(), Tally()
    numbers: dict[Any, int | None] = {
        own: shapes.add_picture(picture.file_name, picture.height, picture.width)
        for own, picture in file.pictures.items()
    }
    collect_annotations(file, numbers, shapes, tally)
    return shapes.finish(), tally


def test_the_whole_file(tmp_path: Path) -> None:
    values = content(["a.jpg", "b.jpg"], [annotation(2, 7, [box(0, 0, 2, 2)])])
    values["categories"].insert(0, {"id": 9, "name": "animal", "supercategory": "none"})
    values["categories"][2]["supercategory"] = "animal"
    file = read_coco(save_coco(tmp_path / "a.json", values))
    assert file.categories == {3: "car", 7: "dog", 9: "animal"}
    assert list(file.categories) == [3, 7, 9]
    assert file.headings == {9}
    assert (file.pictures[2].file_name, file.pictures[2].height) == ("b.jpg", 20)


def test_names_from_addresses_and_ids_that_are_texts(tmp_path: Path) -> None:
    values = content(["a.jpg"], [annotation("x", 3, [box(0, 0, 2, 2)])])
    values["images"] = [
        {"id": "x", "coco_url": "http://host/val2017/1.jpg", "height": 4, "width": 4}
    ]
    stored, _ = _collect(tmp_path, values)
    assert len(stored["http://host/val2017/1.jpg"].shapes) == 1


def test_boxes_and_thin_polygons_are_counted(tmp_path: Path) -> None:
    values = content(
        ["a.jpg"],
        [
            annotation(1, 3, [], bbox=[1, 2, 3, 4]),
            annotation(1, 7, [[0, 0, 5, 5], box(0, 0, 1, 1)]),
            {"image_id": 1, "category_id": 3, "bbox": [0, 0, 1, 2]},
        ],
    )
    stored, tally = _collect(tmp_path, values)
    assert (tally.boxes, tally.thin, tally.used) == (2, 1, {3, 7})
    assert [shape.raw_id for shape in stored["a.jpg"].shapes] == [3, 3, 7]
    filled = stored["a.jpg"].shapes[0].area.fill(20, 30)
    assert filled[2:6, 1:4].all()
    assert filled.sum() == 12


def test_test_pictures_have_no_annotations(tmp_path: Path) -> None:
    values = content(["a.jpg"])
    del values["annotations"]
    assert read_coco(save_coco(tmp_path / "a.json", values)).annotations is None


def _changed(key: str, place: int, **fields: Any) -> dict[str, Any]:
    values = content(["a.jpg", "b.jpg"], [annotation(1, 3, [box(0, 0, 2, 2)], id=5)])
    values[key][place] |= fields
    return values


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], r"is no COCO file"),
        ({"images": []}, r"has no list of categories"),
        ({**content(["a.jpg"]), "images": {}}, r"has no list of images"),
        ({**content(["a.jpg"]), "annotations": None}, r"has no list of annotations"),
        (content([]), r"lists no image"),
        (content(["a.jpg"], categories=[]), r"declares no category"),
        (content(["a.jpg"], [{"segments_info": []}]), r"holds panoptic labels"),
        (content(["a.jpg"], categories=["car"]), r"every category needs an id"),
        (_changed("categories", 0, id="3"), r"every category needs an id"),
        (_changed("categories", 0, id=True), r"every category needs an id"),
        (_changed("categories", 0, id=70_000), r"category car has the id 70000; masks hold"),
        (_changed("categories", 0, id=7), r"category id 7 is given to car and to dog"),
        (_changed("images", 0, id=None), r"every image needs an id"),
        (_changed("images", 0, id=2), r"image id 2 is given twice"),
        (_changed("images", 0, file_name=3), r"image 1 has no file_name"),
        (_changed("images", 0, height=20.5), r"image 1 \(a\.jpg\) needs height and width"),
        (_changed("annotations", 0, image_id=8), r"annotation 5 \(number 1\): image_id 8 is none"),
        (_changed("annotations", 0, image_id=[1]), r"image_id \[1\] is none of the images"),
        (_changed("annotations", 0, category_id=4), r"category_id 4 is none .*\(3, 7\)"),
        (_changed("annotations", 0, category_id="3"), r"category_id '3' is none"),
        (_changed("annotations", 0, segmentation="x"), r"must hold polygons"),
        (_changed("annotations", 0, segmentation=box(0, 0, 1, 1)), r"must hold polygons"),
        (_changed("annotations", 0, segmentation=[[0] * 7]), r"not 7 numbers"),
        (_changed("annotations", 0, segmentation=[["a"] * 6]), r"5 \(number 1\): a polygon must"),
        (_changed("annotations", 0, segmentation={"size": [2, 2]}), r"run lengths are for \[2, 2"),
        (_changed("annotations", 0, segmentation=[]), r"no segmentation, and its bbox .*: None"),
        (_changed("annotations", 0, segmentation=[], bbox=["a"] * 4), r"its bbox is no x, y"),
        (content(["a.jpg"], ["x"]), r"annotation \? \(number 1\): must hold image_id"),
    ],
)  # fmt: skip
def test_malformed_files(tmp_path: Path, values: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        _collect(tmp_path, values)


def test_boxes_beyond_all_numbers(tmp_path: Path) -> None:
    values = content(["a.jpg"], [annotation(1, 3, [], bbox=[0.5, 0, 10**400, 1])])
    with pytest.raises(DataError, match=r"annotation 1 .number 1.: its bbox is no position"):
        _collect(tmp_path, values)
