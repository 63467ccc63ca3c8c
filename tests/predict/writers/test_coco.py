import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from round_trips import (
    WITH_BACKGROUND,
    WITHOUT_BACKGROUND,
    assert_kept,
    hard_masks,
    write_annotations,
)
from segnext.classes import Classes
from segnext.predict.writers.coco import POLYGONS, list_annotations
from segnext.predict.writers.labelled import Labelled

FILE = "annotations/instances_default.json"


@pytest.mark.parametrize("format", ["coco", "coco-rle"])
@pytest.mark.parametrize("classes", [WITH_BACKGROUND, WITHOUT_BACKGROUND])
def test_masks_come_back(tmp_path: Path, format: str, classes: Classes) -> None:
    assert_kept(tmp_path, format, classes)


# pycocotools 2.0 has not followed NumPy 2 there.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_pycocotools_reads_the_same_run_lengths(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = hard_masks()
    folder = write_annotations(tmp_path, "coco-rle", WITHOUT_BACKGROUND, masks)
    api = COCO(folder / FILE)
    capsys.readouterr()
    for image in api.loadImgs(api.getImgIds()):
        painted = np.full((image["height"], image["width"]), 255, np.uint8)
        for annotation in api.loadAnns(api.getAnnIds(imgIds=image["id"])):
            inside = api.annToMask(annotation).astype(bool)
            assert inside.sum() == annotation["area"]
            rows, columns = inside.nonzero()
            left, top, width, height = annotation["bbox"]
            assert (left, top) == (columns.min(), rows.min())
            assert (left + width, top + height) == (columns.max() + 1, rows.max() + 1)
            painted[inside] = annotation["category_id"]
        np.testing.assert_array_equal(painted, masks[image["file_name"].removesuffix(".png")])


def test_an_annotation() -> None:
    mask = np.array([[0, 0, 1, 1], [0, 0, 1, 1]], np.uint8)
    picture = Labelled("a", Path("a.jpg"), mask, WITH_BACKGROUND)
    (annotation,) = list_annotations(picture, 7, 3)
    assert annotation == {
        "id": 3,
        "image_id": 7,
        "category_id": 1,
        "segmentation": [[2, 0, 4, 0, 4, 2, 2, 2]],
        "area": 4,
        "bbox": [2, 0, 2, 2],
        "iscrowd": 0,
    }
    (packed,) = list_annotations(picture, 7, 3, rle=True)
    assert packed["segmentation"] == {"size": [2, 4], "counts": "44"}


def test_nothing_is_half_written(tmp_path: Path) -> None:
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_text("older")

    def pictures() -> Iterator[Labelled]:
        yield Labelled("a", Path("a.jpg"), np.ones((2, 2), np.uint8), WITH_BACKGROUND)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        POLYGONS.write_folder(tmp_path, pictures(), WITH_BACKGROUND)
    assert (tmp_path / FILE).read_text() == "older"
    assert [path.name for path in (tmp_path / "annotations").iterdir()] == [Path(FILE).name]


def test_ids_count_through_all_pictures(tmp_path: Path) -> None:
    folder = write_annotations(tmp_path, "coco", WITH_BACKGROUND, hard_masks())
    content = json.loads((folder / FILE).read_text())
    assert content["info"]["description"] == "predicted by segnext"
    numbers = [annotation["id"] for annotation in content["annotations"]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert {image["file_name"] for image in content["images"]} == {
        f"{name}.png" for name in hard_masks()
    }
