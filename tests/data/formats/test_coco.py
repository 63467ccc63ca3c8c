import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as reference

from coco_files import CATEGORIES, annotation, box, content, save_coco
from pictures import PHOTO, save_picture
from segnext.data.folder import open_folder
from segnext.data.formats.coco import detect, read
from segnext.errors import DataError, UsageError


def _single(root: Path, labels: list[dict[str, Any]], **options: Any) -> np.ndarray:
    """Return the mask of a folder with one picture, images/a.jpg."""
    save_coco(root / "result.json", content(["a.jpg"], labels), [root / "images/a.jpg"])
    layout = read(root, **options)
    assert layout.masks is not None
    return layout.masks.read(layout.pool[0])


def test_the_layout_of_coco(tmp_path: Path) -> None:
    for split, names in (("train2017", ["a.jpg", "b.jpg"]), ("val2017", ["c.jpg"])):
        save_coco(
            tmp_path / f"annotations/instances_{split}.json",
            content(names, [annotation(1, 7, [box(2, 3, 6, 5)])]),
            [tmp_path / split / name for name in names],
        )
    folder = open_folder(tmp_path)
    assert folder.classes.names == ("background", "car", "dog")
    assert folder.classes.raw_to_train == ((0, 0), (3, 1), (7, 2))
    assert [len(part) for part in folder.splits.values()] == [2, 1]
    sample = folder.dataset("train")[0]
    assert sample["name"] == "train2017/a"
    expected = np.zeros((20, 30), np.uint8)
    expected[3:5, 2:6] = 2
    np.testing.assert_array_equal(sample["mask"], expected)
    assert not folder.dataset("train")[1]["mask"].any()
    folder.dataset("val").check()
    assert any("train: 1 pictures without annotations, all background" in n for n in folder.notes)
    assert "painted: larger areas first, smaller ones over them, then by annotation id" in (
        folder.notes
    )
    item = folder.dataset("train").items[0]
    assert item.mask_path == tmp_path / "annotations/instances_train2017.json"


def test_small_areas_lie_over_large_ones_whatever_the_file_says(tmp_path: Path) -> None:
    mask = _single(
        tmp_path,
        [
            annotation(1, 3, [box(2, 2, 4, 4)], id=1, area=900),
            annotation(1, 7, [box(0, 0, 10, 10)], id=2, area=1),
        ],
    )
    assert (mask[3, 3], mask[8, 8], mask[12, 12]) == (1, 2, 0)


def test_of_equal_areas_the_later_id_lies_above(tmp_path: Path) -> None:
    shapes = [
        annotation(1, 3, [box(0, 0, 4, 4)], id=9),
        annotation(1, 7, [box(0, 0, 4, 4)], id=4),
    ]
    assert _single(tmp_path, shapes)[0, 0] == 1
    assert _single(tmp_path, list(reversed(shapes)))[0, 0] == 1


def test_polygons_of_one_annotation_are_joined(tmp_path: Path) -> None:
    mask = _single(tmp_path, [annotation(1, 3, [box(0, 0, 4, 4), box(2, 2, 6, 6)])])
    assert mask[3, 3] == 1
    assert mask.sum() == 16 + 16 - 4


# pycocotools 2.0 has not followed NumPy 2 there.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_run_lengths_agree_with_pycocotools(tmp_path: Path) -> None:
    bitmap = np.random.default_rng(0).random((20, 30)) < 0.4
    packed = reference.encode(np.asfortranarray(bitmap.astype(np.uint8)))
    text = {"size": [20, 30], "counts": packed["counts"].decode()}
    np.testing.assert_array_equal(_single(tmp_path, [annotation(1, 3, text)]), bitmap)
    plain = {"size": [20, 30], "counts": [50, 130, 420]}
    expected = reference.decode(reference.frPyObjects(plain, 20, 30))
    mask = _single(tmp_path, [annotation(1, 3, plain, iscrowd=1)])
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_outlines_differ_from_pycocotools_on_the_border_only(tmp_path: Path) -> None:
    angles = np.linspace(0, 2 * np.pi, 40)[:-1]
    points = np.stack([15 + 12 * np.cos(angles), 10 + 8 * np.sin(angles)], axis=1)
    outline = [float(value) for value in points.ravel()]
    mask = _single(tmp_path, [annotation(1, 3, [outline])])
    theirs = reference.decode(reference.frPyObjects([outline], 20, 30))[..., 0]
    rows, columns = np.nonzero(mask != theirs)
    radii = np.hypot((columns + 0.5 - 15) / 12, (rows + 0.5 - 10) / 8)
    assert (np.abs(radii - 1) < 0.15).all()


def test_pixels_outside_all_annotations_can_be_ignored(tmp_path: Path) -> None:
    values = content(["a.jpg", "b.jpg"], [annotation(1, 7, [box(0, 0, 2, 2)])])
    save_coco(tmp_path / "result.json", values, [tmp_path / f"images/{n}.jpg" for n in "ab"])
    layout = read(tmp_path, unlabelled="ignore")
    assert layout.masks is not None
    assert layout.masks.classes.names == ("car", "dog")
    assert [item.name for item in layout.pool] == ["images/a"]
    assert np.unique(layout.masks.read(layout.pool[0])).tolist() == [1, 255]
    assert "all: 1 pictures without annotations, left out: images/b" in layout.notes


def test_a_category_called_background_is_the_background(tmp_path: Path) -> None:
    categories = [{"id": 0, "name": "dog"}, {"id": 4, "name": "Background"}]
    values = content(["a.jpg"], [annotation(1, 0, [box(0, 0, 2, 2)])], categories)
    save_coco(tmp_path / "result.json", values, [tmp_path / "a.jpg"])
    layout = read(tmp_path)
    assert layout.masks is not None
    assert sorted(layout.masks.classes.names) == ["Background", "dog"]
    mask = layout.masks.read(layout.pool[0])
    assert layout.masks.classes.names[mask[0, 0]] == "dog"
    assert layout.masks.classes.names[mask[9, 9]] == "Background"


def test_ids_from_zero_leave_another_for_the_background(tmp_path: Path) -> None:
    categories = [{"id": 0, "name": "dog"}, {"id": 1, "name": "cat"}]
    values = content(["a.jpg"], [annotation(1, 0, [box(0, 0, 2, 2)])], categories)
    save_coco(tmp_path / "result.json", values, [tmp_path / "a.jpg"])
    layout = read(tmp_path)
    assert layout.masks is not None
    assert layout.masks.classes.names == ("background", "dog", "cat")
    assert layout.masks.classes.raw_to_train == ((0, 1), (1, 2), (2, 0))
    assert layout.masks.read(layout.pool[0])[0, [0, 5]].tolist() == [1, 0]


def test_roboflow(tmp_path: Path) -> None:
    categories = [
        {"id": 0, "name": "pets", "supercategory": "none"},
        {"id": 1, "name": "dog", "supercategory": "pets"},
        {"id": 2, "name": "cat", "supercategory": "pets"},
    ]
    for split in ("train", "valid", "test"):
        values = content(["a.jpg"], [annotation(1, 2, [box(0, 0, 2, 2)])], categories)
        save_coco(
            tmp_path / f"{split}/_annotations.coco.json", values, [tmp_path / split / "a.jpg"]
        )
    folder = open_folder(tmp_path)
    assert folder.classes.names == ("background", "dog", "cat")
    assert list(folder.splits) == ["train", "val", "test"]
    assert folder.dataset("val")[0]["mask"][0, 0] == 2
    assert "categories that only group others are no classes: pets" in folder.notes
    # As soon as it is used it is a class like others.
    values["annotations"][0]["category_id"] = 0
    save_coco(tmp_path / "test/_annotations.coco.json", values)
    assert open_folder(tmp_path).classes.names == ("background", "pets", "dog", "cat")


def test_in_an_archive(tmp_path: Path) -> None:
    values = content(["images\\a.jpg", "b.jpg"], [annotation(1, 3, [box(0, 0, 2, 2)])])
    save_picture(tmp_path / "a.jpg")
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.writestr("result.json", json.dumps(values))
        archive.write(tmp_path / "a.jpg", "images/a.jpg")
        archive.write(tmp_path / "a.jpg", "images/b.jpg")
    folder = open_folder(tmp_path / "export.zip")
    assert folder.notes[1] == "looks like COCO JSON; --format folder reads it as a plain folder"
    every = [part[index] for part in folder.splits.values() for index in range(len(part))]
    assert sorted((s["name"], s["mask"].sum()) for s in every) == [("images/a", 4), ("images/b", 0)]


def test_files_and_folders_that_options_name(tmp_path: Path) -> None:
    values = content(["a.jpg"], [annotation(1, 3, [box(0, 0, 2, 2)])])
    save_coco(tmp_path / "x/one.json", values, [tmp_path / "photos/1/a.jpg"])
    save_coco(tmp_path / "x/two.json", values, [tmp_path / "photos/2/a.jpg"])
    (tmp_path / "data.yaml").write_text(
        "format: coco\noptions:\n  annotations: {train: x/one.json, val: x/two.json, "
        "test: x/two.json}\n  images: {train: photos/1, val: photos/2}\n"
    )
    folder = open_folder(tmp_path)
    assert [part.items[0].name for part in folder.splits.values()] == [
        "photos/1/a",
        "photos/2/a",
        "photos/2/a",
    ]
    assert read(tmp_path, annotations="x/one.json", images="photos/1").pool[0].name == "photos/1/a"


def test_readers_can_be_sent_to_workers(tmp_path: Path) -> None:
    mask = _single(tmp_path, [annotation(1, 3, [box(0, 0, 2, 2)])])
    layout = pickle.loads(pickle.dumps(read(tmp_path)))
    np.testing.assert_array_equal(layout.masks.read(layout.pool[0]), mask)


def test_pictures_of_another_size_than_the_file_says(tmp_path: Path) -> None:
    for split in ("train", "val"):
        path = tmp_path / f"annotations/instances_{split}.json"
        save_coco(path, content(["a.jpg"]), [tmp_path / split / "a.jpg"])
    save_picture(tmp_path / "train/a.jpg", PHOTO[:10])
    folder = open_folder(tmp_path)
    folder.dataset("val").check()
    message = r"instances_train\.json: 30x20 pixels, but its image .*a\.jpg has 30x10"
    with pytest.raises(DataError, match=message):
        folder.dataset("train").check()


def test_splits_without_annotations(tmp_path: Path) -> None:
    for split in ("train", "test"):
        values = content(["a.jpg"], [annotation(1, 3, [box(0, 0, 2, 2)])])
        if split == "test":
            del values["annotations"]
        path = tmp_path / f"annotations/instances_{split}.json"
        save_coco(path, values, [tmp_path / split / "a.jpg"])
    layout = read(tmp_path)
    assert layout.splits["test"][0].mask_path is None
    assert "test: instances_test.json has no annotations, so no masks" in layout.notes


def test_pictures_that_are_missing_or_not_listed(tmp_path: Path) -> None:
    values = content(["a.jpg", "b.jpg"], [annotation(2, 3, [box(0, 0, 2, 2)])])
    save_coco(
        tmp_path / "result.json", values, [tmp_path / "images/a.jpg", tmp_path / "images/c.jpg"]
    )
    message = (
        r"1 of its pictures are not in .*images: b\.jpg; add them, or go on .* \{missing: skip\}"
    )
    with pytest.raises(DataError, match=message):
        read(tmp_path)
    layout = read(tmp_path, missing="skip")
    assert [item.name for item in layout.pool] == ["images/a"]
    assert "1 pictures are not in result.json: images/c.jpg" in layout.notes
    assert any(note.endswith("images: b.jpg; skipped") for note in layout.notes)


def test_files_with_other_categories(tmp_path: Path) -> None:
    other = [CATEGORIES[0], {"id": 7, "name": "cat"}]
    for split, categories in (("train", CATEGORIES), ("val", other)):
        path = tmp_path / f"annotations/instances_{split}.json"
        save_coco(path, content(["a.jpg"], [], categories), [tmp_path / split / "a.jpg"])
    message = r"val\.json: category 7 is cat, but in .*train\.json it is dog; give all files"
    with pytest.raises(DataError, match=message):
        read(tmp_path)
    save_coco(path, content(["a.jpg"], [], CATEGORIES[:1]))
    with pytest.raises(DataError, match=r"category 7 is missing, but in .* it is dog"):
        read(tmp_path)


def test_pictures_listed_twice(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    save_coco(path, content(["a.jpg", "a.jpg"]), [tmp_path / "images/a.jpg"])
    with pytest.raises(DataError, match=r"images 1 and 2 are both a\.jpg; remove one"):
        read(tmp_path)
    save_coco(path, content(["a.jpg", "images/a.jpg"]))
    with pytest.raises(DataError, match=r"the picture images/a \(images/a\.jpg\) is listed twice"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"missing": "no"}, UsageError, r"unknown value of missing 'no'"),
        ({"unlabelled": "void"}, UsageError, r"unlabelled"),
        ({"annotations": "absent.json"}, DataError, r"there is no file .*absent\.json"),
        ({"annotations": "../a.json"}, DataError, r"leads out of the data set"),
        ({"annotations": ["a"]}, DataError, r"must name a path"),
        ({"annotations": {}}, DataError, r"there is no file"),
        ({"images": "../b"}, DataError, r"leads out"),
        ({"images": "absent"}, DataError, r"no folder absent"),
    ],
)
def test_wrong_options(
    tmp_path: Path, options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        _single(tmp_path, [], **options)


def test_impossible_sizes(tmp_path: Path) -> None:
    values = content(["a.jpg"])
    values["images"][0]["width"] = 10**9
    save_coco(tmp_path / "result.json", values, [tmp_path / "a.jpg"])
    with pytest.raises(DataError, match=r"image 1 \(a\.jpg\): 1000000000 x 20 is no size"):
        read(tmp_path)


def test_no_annotations_anywhere(tmp_path: Path) -> None:
    save_picture(tmp_path / "images/a.jpg")
    with pytest.raises(DataError, match=r"holds no COCO annotations; looked for"):
        open_folder(tmp_path, format="coco")
    with pytest.raises(DataError, match=r"no such folder or archive"):
        open_folder(tmp_path / "absent", format="coco")


def test_detection_leaves_masks_to_plain_folders(tmp_path: Path) -> None:
    save_coco(tmp_path / "result.json", content(["a.jpg"]), [tmp_path / "images/a.jpg"])
    assert detect(tmp_path)
    save_picture(tmp_path / "masks/a.png")
    assert not detect(tmp_path)
