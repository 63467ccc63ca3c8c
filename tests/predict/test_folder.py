import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segnext.errors import DataError, UsageError
from segnext.predict import Predictor, find_images, predict_images
from segnext.spec import Protocol


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png", "sub/c.png", "sub/c.jpg"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(path)
    (tmp_path / "photos" / "notes.txt").write_text("no picture")
    return tmp_path / "photos"


@pytest.fixture(scope="module")
def predictor(scene_weights: Path) -> Predictor:
    return Predictor(scene_weights, device="cpu")


def test_files_folders_and_patterns(photos: Path) -> None:
    assert list(find_images([photos])) == ["a", "b", "sub/c.jpg", "sub/c.png"]
    assert list(find_images([photos / "a.png"])) == ["a"]
    assert list(find_images([str(photos / "*.png")])) == ["a", "b"]
    assert list(find_images([str(photos / "**" / "*.jpg"), photos / "b.png"])) == ["b", "sub/c"]


def test_what_is_not_there_is_named(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\*: no such file, folder or match"):
        find_images([str(photos / "nothing*")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: no pictures in this folder"):
        find_images([tmp_path / "empty"])


def test_masks_overlays_and_areas(photos: Path, predictor: Predictor, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = predict_images(predictor, find_images([photos]), out, made_by="x", confidence=True)
    assert report.done == ["a", "b", "sub/c.jpg", "sub/c.png"]
    assert not report.failed
    for kind in ("masks", "overlays", "confidence"):
        assert (out / kind / "sub" / "c.jpg.png").exists()
    areas = json.loads((out / "areas.json").read_text())
    assert set(areas["images"]) == set(report.done)
    assert sum(entry["pixels"] for entry in areas["images"]["a"].values()) == 40 * 50
    assert areas["made"] == {"weights": "x", "protocol": predictor.protocol.describe()}


def test_what_is_done_is_skipped_unless_something_else_made_it(
    photos: Path, predictor: Predictor, scene_weights: Path, tmp_path: Path
) -> None:
    out, images = tmp_path / "out", find_images([photos])
    predict_images(predictor, images, out, made_by="x")
    (out / "masks" / "b.png").unlink()
    again = predict_images(predictor, images, out, made_by="x")
    assert again.done == ["b"]
    assert len(again.skipped) == 3
    assert len(json.loads((out / "areas.json").read_text())["images"]) == 4
    assert len(predict_images(predictor, images, out, made_by="y").done) == 4
    mirrored = Predictor(scene_weights, device="cpu", protocol=Protocol(flip=True))
    assert len(predict_images(mirrored, images, out, made_by="y").done) == 4


def test_a_broken_picture_does_not_stop_the_rest(
    photos: Path, predictor: Predictor, tmp_path: Path
) -> None:
    (photos / "b.png").write_bytes(b"\x89PNG broken")
    seen = []
    report = predict_images(
        predictor, find_images([photos]), tmp_path / "out", made_by="x", on_image=seen.append
    )
    assert len(report.done) == 3
    assert [path.name for path, _ in report.failed] == ["b.png"]
    assert "b.png" in report.failed[0][1]
    assert seen[-1] == 4
    assert not (tmp_path / "out" / "masks" / "b.png").exists()


def test_outputs_may_not_become_inputs(photos: Path, predictor: Predictor) -> None:
    with pytest.raises(UsageError, match="lies below the output folder"):
        predict_images(predictor, find_images([photos]), photos, made_by="x")


def test_a_damaged_areas_file_is_named(photos: Path, predictor: Predictor, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "areas.json").write_text("{")
    with pytest.raises(DataError, match=r"areas\.json: cannot be read"):
        predict_images(predictor, find_images([photos]), tmp_path / "out", made_by="x")


def test_annotation_files_come_from_masks_that_are_there(
    photos: Path, predictor: Predictor, tmp_path: Path
) -> None:
    out, images = tmp_path / "out", find_images([photos])
    predict_images(predictor, images, out, made_by="x")
    written: list[str] = []
    outputs = ["areas", "coco", "cvat", "yolo"]
    report = predict_images(
        predictor, images, out, outputs=outputs, made_by="x", on_write=written.append
    )
    assert report.skipped == list(images)
    assert written == ["coco", "cvat", "yolo"]
    content = json.loads((out / "coco/annotations/instances_default.json").read_text())
    assert [one["file_name"] for one in content["images"]] == [
        "a.png",
        "b.png",
        "sub/c.jpg",
        "sub/c.png",
    ]
    assert (out / "yolo/labels/sub/c.jpg.txt").exists()
    lines = (out / "areas.csv").read_text().splitlines()
    assert len(lines) == 1 + 4 * predictor.spec.classes.num_labels


def test_new_masks_come_with_new_annotation_files(
    photos: Path, predictor: Predictor, tmp_path: Path
) -> None:
    out, images = tmp_path / "out", find_images([photos])
    predict_images(predictor, images, out, outputs=["labelme"], made_by="x")
    assert not (out / "overlays").exists()
    made = (out / "labelme/a.json").read_bytes()
    (out / "labelme/a.json").write_text("of other weights")
    predict_images(predictor, images, out, outputs=["labelme"], made_by="y")
    assert (out / "labelme/a.json").read_bytes() == made


def test_a_wrong_output_is_named_before_work_starts(
    photos: Path, predictor: Predictor, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="unknown output 'labelstudio': did you mean label-studio"):
        predict_images(predictor, find_images([photos]), tmp_path / "o", outputs=["labelstudio"])
    assert not (tmp_path / "o").exists()
