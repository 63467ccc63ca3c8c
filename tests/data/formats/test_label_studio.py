import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brush_strokes import encode_brush
from label_studio_files import BRUSH, Json, box, brush, region, save, task
from opening import masks_by_name
from pictures import save_picture, save_splits
from segnext.data.folder import open_folder
from segnext.data.formats.label_studio import detect, read
from segnext.errors import DataError, UsageError


def mask(root: Path, **options: Any) -> Any:
    """Return the mask of the only picture."""
    layout = read(root, **options)
    (item,) = layout.pool
    assert layout.masks is not None
    return layout.masks.read(item)


def test_an_export_is_found_and_read(tmp_path: Path) -> None:
    polygon = region("polygonlabels", "road", points=[[0, 50], [50, 50], [50, 100], [0, 100]])
    tasks = [task("a.jpg", polygon, brush("car"), box("tree")), task("b.jpg", number=2)]
    folder = open_folder(save(tmp_path, *tasks, photos=("a.jpg", "b.jpg")))
    assert folder.classes.names == ("background", "car", "road", "tree")
    expected = np.zeros((20, 30), np.uint8)
    expected[10:, :15] = 2
    expected[BRUSH] = 1
    expected[2:6, 3:9] = 3
    masks = masks_by_name(tmp_path)
    assert sorted(masks) == ["images/a", "images/b"]
    np.testing.assert_array_equal(masks["images/a"], expected)
    assert folder.notes[1].startswith("looks like a JSON export of Label Studio; --format folder")
    assert any(note.endswith("options: classes keeps an order of yours") for note in folder.notes)


def test_later_regions_cover_earlier_ones(tmp_path: Path) -> None:
    save(tmp_path, task("a.jpg", box("road"), box("car", width=10)))
    painted = mask(tmp_path)
    assert painted[3, 3:9].tolist() == [1, 1, 1, 2, 2, 2]


def test_rectangles_turn_about_their_corner_and_ellipses_about_their_centre(tmp_path: Path) -> None:
    # Turned clockwise by a quarter, the box hangs to the left of its corner (15, 2).
    turned = box("car", x=50, rotation=90)
    oval = region("ellipselabels", "road", x=80, y=50, radiusX=20, radiusY=10, rotation=90)
    save(tmp_path, task("a.jpg", turned, oval))
    painted = mask(tmp_path)
    rows, columns = np.nonzero(painted == 1)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (2, 7, 11, 14)
    rows, columns = np.nonzero(painted == 2)
    # Centre (24, 10), radii 6 and 2 before turning.
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 15, 22, 25)


def test_separate_labels_come_with_their_shape(tmp_path: Path) -> None:
    pair = [region("rectangle", None, x=10, y=10, width=20, height=20), box("car", kind="labels")]
    keypoint = region("labels", "car", x=1, y=1, width=1)
    save(tmp_path, task("a.jpg", *pair, keypoint))
    assert (mask(tmp_path) == 1).sum() == 24
    assert read(tmp_path).notes[0] == "labels without an area, skipped: 1 labels, 1 rectangle"


def test_order_of_classes_and_unlabelled_pixels(tmp_path: Path) -> None:
    save(tmp_path, task("a.jpg", box("car")))
    classes = ["road", "Background", "car"]
    assert mask(tmp_path, classes=classes).max() == 2
    layout = read(tmp_path, classes=classes)
    assert layout.masks is not None
    assert layout.masks.classes.names == ("Background", "road", "car")
    ignoring = mask(tmp_path, classes=["road", "car"], unlabelled="ignore")
    assert sorted(np.unique(ignoring)) == [1, 255]
    with pytest.raises(DataError, match=r"task 1: unknown label 'car': .*valid: road, tree"):
        read(tmp_path, classes=["road", "tree"])
    with pytest.raises(UsageError, match=r"classes must be a list of labels, not 'car'"):
        read(tmp_path, classes="car")
    with pytest.raises(UsageError, match=r"unlabelled: 'void'"):
        read(tmp_path, unlabelled="void")
    with pytest.raises(UsageError, match=r"key must be a name, not \['image'\]"):
        read(tmp_path, key=["image"])  # type: ignore[arg-type]


def test_the_newest_annotation_counts(tmp_path: Path) -> None:
    older = {"id": 5, "was_cancelled": False, "result": [box("road")]}
    newer = {"id": 8, "was_cancelled": False, "result": [box("car")]}
    cancelled = {"id": 9, "was_cancelled": True, "result": [box("tree")]}
    guess = {"result": [box("bus")]}
    whole = task("a.jpg", annotations=[newer, cancelled, older], predictions=[guess])
    layout = read(save(tmp_path, whole))
    assert layout.masks is not None
    assert layout.masks.classes.names == ("background", "car")
    assert "1 tasks with several annotations: the newest counts" in layout.notes


def test_tasks_nobody_did_and_empty_ones(tmp_path: Path) -> None:
    tasks = [
        task("a.jpg", box("car")),
        task("b.jpg", number=2),
        task("c.jpg", number=3, annotations=[]),
        task("d.jpg", number=4, annotations=[{"id": 1, "was_cancelled": True, "result": []}]),
    ]
    layout = read(save(tmp_path, *tasks, photos=("a.jpg", "b.jpg", "c.jpg", "d.jpg")))
    assert [item.name for item in layout.pool] == ["images/a", "images/b"]
    assert "2 tasks without an annotation: left out" in layout.notes
    assert "1 pictures without a shape: background throughout: images/b" in layout.notes


@pytest.mark.parametrize(
    ("address", "file"),
    [
        ("/data/upload/1/ab12cd34-a.jpg", "a.jpg"),
        ("/data/upload/1/ab12cd34-a.jpg", "ab12cd34-a.jpg"),
        ("/data/upload/1-ab12cd34-a.jpg", "a.jpg"),
        ("/data/local-files/?d=photos%2Fa%20b.jpg", "a b.jpg"),
        ("/data/local-files/?d=photos\\a.jpg", "a.jpg"),
        ("s3://bucket/deep/a.jpg", "a.jpg"),
        ("https://host.example/x/a%20b.jpg?X-Amz-Signature=0", "a b.jpg"),
        ("../../../etc/a.jpg", "a.jpg"),
    ],
)
def test_addresses_of_pictures(tmp_path: Path, address: str, file: str) -> None:
    save(tmp_path, task("", box("car"), data={"image": address}), photos=(file,))
    assert read(tmp_path).pool[0].image_path == tmp_path / "images" / file


def test_the_key_of_the_picture(tmp_path: Path) -> None:
    data = {"photo": "/data/upload/1/a.jpg", "note": "sunny", "thumb": "/t/b.jpg", "n": 3}
    save(tmp_path, task("", box("car"), data=data), photos=("a.jpg", "b.jpg"))
    assert read(tmp_path, key="photo").pool[0].name == "images/a"
    with pytest.raises(DataError, match=r"task 1: its data name 2 pictures: photo, note, .*: key"):
        read(tmp_path)
    with pytest.raises(DataError, match=r"tell the right key with options: key"):
        read(tmp_path, key="n")
    single = {"photo": "/data/upload/1/a.jpg", "note": "sunny"}
    save(tmp_path, task("", box("car"), data=single))
    assert read(tmp_path).pool[0].name == "images/a"


def test_missing_picture(tmp_path: Path) -> None:
    save(tmp_path, task("b.jpg", box("car")))
    with pytest.raises(DataError, match=r"task 1: there is no picture '.*ab12cd34-b\.jpg'"):
        read(tmp_path)


def test_two_tasks_about_one_picture(tmp_path: Path) -> None:
    save(tmp_path, task("a.jpg", box("car")), task("a.jpg", box("car"), number=2))
    with pytest.raises(DataError, match=r"the picture images/a is annotated twice"):
        read(tmp_path)


def test_splits_by_file(tmp_path: Path) -> None:
    for split in ("train", "val"):
        save_picture(tmp_path / f"{split}.jpg")
        content = json.dumps([task(f"{split}.jpg", box("car"))])
        (tmp_path / f"{split}.json").write_text(content)
    layout = read(tmp_path)
    assert {split: len(items) for split, items in layout.splits.items()} == {"train": 1, "val": 1}
    (tmp_path / "more.json").write_text((tmp_path / "val.json").read_text())
    with pytest.raises(DataError, match=r"expected one JSON file.*found more\.json, train\.json"):
        read(tmp_path)
    assert len(read(tmp_path, file="more.json").pool) == 1
    with pytest.raises(DataError, match=r"options: file: there is no lost\.json"):
        read(tmp_path, file="lost.json")


def test_an_export_in_an_archive(tmp_path: Path) -> None:
    tasks = [task("a.jpg", box("car")), task("b.jpg", number=2)]
    save(tmp_path / "set", *tasks, photos=("a.jpg", "b.jpg"))
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in (tmp_path / "set").rglob("*.*"):
            archive.write(path, path.relative_to(tmp_path / "set"))
    masks = masks_by_name(tmp_path / "set.zip")
    assert [(masks[name] == 1).sum() for name in sorted(masks)] == [24, 0]


def test_json_min_is_refused(tmp_path: Path) -> None:
    flat = {"image": "/data/upload/1/a.jpg", "id": 1, "label": [{"original_width": 30}]}
    save(tmp_path, flat)
    assert detect(tmp_path)
    with pytest.raises(DataError, match=r"as in Label Studio's JSON-MIN, .*; export as JSON"):
        read(tmp_path)


def test_sizes_that_disagree(tmp_path: Path) -> None:
    other = {**box("car"), "original_width": 60}
    save(tmp_path, task("a.jpg", box("car"), other))
    with pytest.raises(DataError, match=r"regions are for pictures of different sizes"):
        read(tmp_path)
    tasks = [task("a.jpg", other), task("b.jpg", number=2)]
    save(tmp_path, *tasks, photos=("a.jpg", "b.jpg"))
    with pytest.raises(DataError, match=r"60x20 pixels, but its image .*a\.jpg has 30x20"):
        masks_by_name(tmp_path)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({**box("car"), "image_rotation": 90}, r"was rotated in Label Studio by 90 degrees"),
        ({**box("car"), "original_width": None}, r"task 1: None x 20 is no size"),
        ({**box("car"), "original_width": 10**9}, r"1000000000 x 20 is no size"),
        (box("car", x=float("nan")), r"rectanglelabels car: x must be a number, not nan"),
        (region("rectanglelabels", "car", x=1), r"y must be a number, not None"),
        (region("polygonlabels", "car", points=[[1, 1], [2, 2]]), r"three points or more, not 2"),
        (region("polygonlabels", "car", points=5), r"points must be pairs of numbers"),
        (region("brushlabels", "car", rle=10**12), r"rle must be a list of numbers from 0 to 255"),
        (region("brushlabels", "car", rle=[1, 300]), r"rle must be a list of numbers"),
        (region("brushlabels", "car"), r"rle must be a list of numbers"),
        (region("brushlabels", None, brushlabels="car"), r"must be a list of labels, not 'car'"),
        (region("brushlabels", None, brushlabels=["a", "b"]), r"has the labels a, b; a pixel has"),
    ],
)
def test_broken_regions(tmp_path: Path, broken: Json, message: str) -> None:
    save(tmp_path, task("a.jpg", broken))
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_strokes_that_lie_about_their_size(tmp_path: Path) -> None:
    strokes = region("brushlabels", "car", rle=list(encode_brush(BRUSH[:10])))
    save(tmp_path, task("a.jpg", strokes))
    with pytest.raises(
        DataError, match=r"2026\.json: brush strokes hold .* for the image images/a"
    ):
        mask(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[{", r"2026\.json: is no valid JSON"),
        ("{}", r"is no export of Label Studio"),
        ("[1]", r"is no export of Label Studio"),
        ("[]", r"no task has a labelled area"),
        ('[{"annotations": 5, "data": {}}]', r"task 0: its annotations are malformed"),
        ('[{"annotations": [{"result": {"a": 1}}]}]', r"its annotations are malformed"),
    ],
)
def test_broken_files(tmp_path: Path, text: str, message: str) -> None:
    save(tmp_path)
    (tmp_path / "project-1-at-2026.json").write_text(text)
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_regions_without_an_area_are_said(tmp_path: Path) -> None:
    odd = [
        region("choices", "good"),
        region("keypointlabels", "nose", x=1, y=1, width=1),
        {"type": "relation", "from_id": "a", "to_id": "b"},
        region("brushlabels", None, rle=[1]),
        region("brushlabels", "car", rle=[]),
    ]
    layout = read(save(tmp_path, task("a.jpg", box("car"), *odd)))
    assert layout.notes[0] == (
        "labels without an area, skipped: 1 brushlabels without a label, 1 brushlabels "
        "without strokes, 1 choices, 1 keypointlabels, 1 relation"
    )


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected one JSON file, .* found none"):
        read(tmp_path)
    save(tmp_path, task("a.jpg"))
    with pytest.raises(DataError, match=r"no task has a labelled area; label some"):
        read(tmp_path)


def test_other_folders_are_not_taken_for_exports(tmp_path: Path) -> None:
    save_splits(tmp_path, train=1, val=1)
    for name, text in {
        "list.json": '[{"image": "a.jpg", "data": 1}]',
        "coco.json": '{"annotations": [], "images": []}',
        "odd.json": "\udcff",
    }.items():
        (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    assert not detect(tmp_path)
    assert not detect(tmp_path / "list.json")
    assert not detect(tmp_path / "nowhere")
