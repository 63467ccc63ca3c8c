import base64
import io
import json
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import PIL.Image
import pytest
from starlette.testclient import TestClient

from segnext.data.images import Image
from segnext.data.synthetic import SCENE_CLASSES
from segnext.drawing import overlay
from segnext.predict import Prediction, Predictor


def send(client: TestClient, data: bytes, **query: Any) -> Any:
    return client.post("/v1/predict", params=query, files={"image": ("a.png", data)})


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(PIL.Image.open(io.BytesIO(content)))


def wait_until_ready(client: TestClient) -> None:
    deadline = time.monotonic() + 30
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.02)


class SlowPredictor:
    """A predictor that waits until it is told to go on."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self.go = threading.Event()
        self.begun = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._predictor, name)

    def predict_batch(self, images: list[Image]) -> list[Prediction]:
        self.begun.set()
        self.go.wait(20)
        return self._predictor.predict_batch(images)


@pytest.fixture
def slow(predictor: Predictor) -> Iterator[SlowPredictor]:
    one = SlowPredictor(predictor)
    yield one
    one.go.set()


def test_a_mask_is_the_predictors(client: TestClient, predictor: Predictor, photo: bytes) -> None:
    answer = send(client, photo)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    expected = predictor(PIL.Image.open(io.BytesIO(photo))).mask
    np.testing.assert_array_equal(pixels(answer.content), expected)
    assert answer.headers["x-model"] == "scenes.safetensors@abababababab"
    timing = answer.headers["server-timing"]
    assert re.fullmatch(r"queue;dur=[\d.]+, decode;.+, network;.+, draw;dur=[\d.]+", timing)


def test_json_gives_the_same(client: TestClient, photo: bytes) -> None:
    sent = {"image": base64.b64encode(photo).decode()}
    answer = client.post("/v1/predict", json=sent)
    assert answer.content == send(client, photo).content


def test_an_overlay_and_confidence(client: TestClient, predictor: Predictor, photo: bytes) -> None:
    prediction = predictor(PIL.Image.open(io.BytesIO(photo)))
    drawn = pixels(send(client, photo, output="overlay", alpha=0.25).content)
    expected = overlay(prediction.image, prediction.mask, SCENE_CLASSES, alpha=0.25)
    np.testing.assert_array_equal(drawn, expected)
    grey = pixels(send(client, photo, output="confidence").content)
    np.testing.assert_allclose(grey / 255, prediction.confidence, atol=0.003)


def test_polygons_are_coco(client: TestClient, photo: bytes) -> None:
    content = send(client, photo, output="polygons").json()
    assert [one["name"] for one in content["categories"]] == list(SCENE_CLASSES.names)
    assert sum(one["area"] for one in content["annotations"]) == 96 * 64


def test_geojson_is_in_pixels(client: TestClient, photo: bytes) -> None:
    answer = send(client, photo, output="geojson")
    assert answer.headers["content-type"] == "application/geo+json"
    features = answer.json()["features"]
    assert sum(one["properties"]["pixels"] for one in features) == 96 * 64
    assert {one["properties"]["class"] for one in features} <= set(SCENE_CLASSES.names)


def test_a_report_has_everything(client: TestClient, predictor: Predictor, photo: bytes) -> None:
    report = send(client, photo, output="report", picture=True).json()
    runs = np.array(report["runs"]).reshape(-1, 2)
    mask = np.repeat(runs[:, 0], runs[:, 1]).reshape(report["height"], report["width"])
    prediction = predictor(PIL.Image.open(io.BytesIO(photo)))
    np.testing.assert_array_equal(mask, prediction.mask)
    assert sum(one["pixels"] for one in report["classes"]) == mask.size
    assert pixels(base64.b64decode(report["confidence"])).shape == mask.shape
    np.testing.assert_array_equal(pixels(base64.b64decode(report["picture"])), prediction.image)
    assert set(report["milliseconds"]) == {"queue", "decode", "network", "draw"}


def test_the_model_describes_itself(client: TestClient) -> None:
    model = client.get("/v1/model").json()
    assert (model["name"], model["fingerprint"]) == ("scenes.safetensors", "ab" * 32)
    assert model["channels"] == 3
    assert model["classes"][0] == {
        "id": 0,
        "name": SCENE_CLASSES.names[0],
        "color": list(SCENE_CLASSES.colors[0]),
    }
    assert model["limits"] == {
        "pixels": 16_000_000,
        "bytes": 32 << 20,
        "seconds": 60,
        "urls": False,
    }


def test_ready_once_the_example_is_segmented(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    wait_until_ready(client)
    example = client.get("/v1/example").json()
    assert (example["width"], example["height"]) == (640, 480)
    assert example["picture"]


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ({"output": "mush"}, "output: Input should be 'mask', 'overlay', 'polygons'"),
        ({"alpha": "2"}, "alpha: Input should be less than or equal to 1"),
    ],
)
def test_wrong_parameters(client: TestClient, photo: bytes, query: Any, line: str) -> None:
    answer = send(client, photo, **query)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(line)


def test_unknown_paths_and_methods(client: TestClient) -> None:
    assert client.get("/nothing").json() == {"error": "Not Found"}
    assert client.get("/page/../settings.py").status_code == 404
    assert client.get("/v1/predict").status_code == 405
    assert client.get("/docs").text.startswith("<!doctype html>")
    assert client.get("/redoc").status_code == 404


def test_addresses_are_not_fetched_unless_allowed(client: TestClient) -> None:
    answer = client.post("/v1/predict", json={"url": "http://127.0.0.1/a.png"})
    assert answer.status_code == 400
    assert answer.json()["error"] == "this server fetches no addresses; send the picture itself"


def test_private_addresses_are_never_fetched(make_client: Any) -> None:
    client = make_client(allow_urls=True)
    answer = client.post("/v1/predict", json={"url": "http://127.0.0.1/a.png"})
    assert answer.status_code == 400
    assert "not a public address" in answer.json()["error"]


def test_pixels_beyond_the_limit(make_client: Any, photo: bytes) -> None:
    client = make_client(max_pixels=5000)
    answer = send(client, photo)
    assert answer.status_code == 413
    assert answer.json()["error"] == (
        "picture: 96 x 64 is 6,144 pixels, this server takes 5,000; make it smaller"
    )


def test_full_means_429_and_later_200(make_client: Any, slow: SlowPredictor, photo: bytes) -> None:
    client = make_client([slow], queue=1)
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(send, client, photo)
        assert slow.begun.wait(10)
        second = threads.submit(send, client, photo)
        while "segnext_requests_taken 2" not in client.get("/metrics").text:
            time.sleep(0.01)
        third = send(client, photo)
        assert third.status_code == 429
        assert 1 <= int(third.headers["retry-after"]) <= 60
        assert third.json()["error"].startswith("the server is full (2 requests); try again in ")
        slow.go.set()
        assert first.result().status_code == second.result().status_code == 200
    assert send(client, photo).status_code == 200


def test_too_slow_means_503(make_client: Any, slow: SlowPredictor, photo: bytes) -> None:
    client = make_client([slow], timeout_s=0.3)
    answer = send(client, photo)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.json()["error"].startswith("not done within 0.3 s")


def test_what_goes_wrong_inside_stays_inside(
    make_client: Any, slow: SlowPredictor, photo: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Any) -> Any:
        msg = "the secret"
        raise RuntimeError(msg)

    slow.predict_batch = fail  # type: ignore[method-assign]
    client = make_client([slow])
    answer = send(client, photo)
    assert answer.status_code == 500
    assert answer.json() == {"error": "internal error; see the log"}
    assert "the secret" in caplog.text


def test_the_document_lists_the_routes(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert set(document["paths"]) == {
        "/v1/predict",
        "/v1/model",
        "/v1/example",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    assert "cdn" not in json.dumps(document)
