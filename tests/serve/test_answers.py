import json

import numpy as np
import pytest

from segnext.classes import Classes
from segnext.data.shapes import Polygon
from segnext.errors import UsageError
from segnext.predict import Prediction
from segnext.serve.answers import Wish, draw_answer, write_coco, write_geojson, write_report

CLASSES = Classes(("sky", "road", "car"))
MASK = np.array([[0, 0, 1], [2, 1, 1]], np.uint8)
IMAGE = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
TIMES = {"queue": 0.001, "network": 0.25}


def refuse() -> np.ndarray:
    msg = "this file gives labels without probabilities; export with --output logits"
    raise UsageError(msg)


def predict(confidence: object = lambda: np.full((2, 3), 0.5, np.float32)) -> Prediction:
    return Prediction(IMAGE, MASK, CLASSES, confidence)  # type: ignore[arg-type]


def test_runs_go_along_rows() -> None:
    report = write_report(predict())
    assert report["runs"] == [0, 2, 1, 1, 2, 1, 1, 2]
    assert report["classes"][2] == {
        "id": 2,
        "name": "car",
        "color": list(CLASSES.colors[2]),
        "pixels": 1,
    }
    assert "picture" not in report


def test_a_network_without_probabilities() -> None:
    assert write_report(predict(refuse))["confidence"] is None
    with pytest.raises(UsageError, match="without probabilities"):
        draw_answer(predict(refuse), Wish("confidence"), {})


@pytest.mark.parametrize("output", ["mask", "overlay", "confidence"])
def test_pictures_are_png(output: str) -> None:
    answer = draw_answer(predict(), Wish(output), TIMES)  # type: ignore[arg-type]
    assert answer.media_type == "image/png"
    assert answer.body.startswith(b"\x89PNG")
    assert answer.server_timing().startswith("queue;dur=1.0, network;dur=250.0, draw;dur=")


def test_a_report_holds_its_times() -> None:
    answer = draw_answer(predict(), Wish("report", picture=True), TIMES)
    report = json.loads(answer.body)
    assert report["milliseconds"]["network"] == 250
    assert report["picture"]


def test_coco() -> None:
    content = write_coco(MASK, CLASSES)
    assert content["images"] == [{"id": 1, "file_name": "picture", "height": 2, "width": 3}]
    assert [one["category_id"] for one in content["annotations"]] == [0, 1, 2]
    assert content["annotations"][2] == {
        "id": 3,
        "image_id": 1,
        "category_id": 2,
        "segmentation": [[0, 1, 1, 1, 1, 2, 0, 2]],
        "area": 1,
        "bbox": [0, 1, 1, 1],
        "iscrowd": 0,
    }


def test_geojson_has_holes() -> None:
    mask = np.ones((5, 6), np.uint8)
    mask[1:3, 2:5] = 2
    road, car = write_geojson(mask, CLASSES)["features"]
    outline, hole = road["geometry"]["coordinates"]
    assert outline == [(0, 0), (6, 0), (6, 5), (0, 5), (0, 0)]
    assert hole == [(2, 1), (2, 3), (5, 3), (5, 1), (2, 1)]
    assert road["properties"] == {"class": "road", "class_id": 1, "pixels": 24}
    assert car["geometry"]["coordinates"] == [[(2, 1), (5, 1), (5, 3), (2, 3), (2, 1)]]


def test_geojson_fills_to_the_mask_again() -> None:
    mask = np.random.default_rng(0).integers(0, 3, (24, 31)).astype(np.uint8)
    found = np.full_like(mask, 255)
    for one in write_geojson(mask, CLASSES)["features"]:
        rings = [np.array(ring, np.float64) for ring in one["geometry"]["coordinates"]]
        inside = Polygon(tuple(rings)).fill(*mask.shape)
        assert inside.sum() == one["properties"]["pixels"]
        found[inside] = one["properties"]["class_id"]
    assert np.array_equal(found, mask)
