import io
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import PIL.Image
import pytest

from segnext.data.images import Image
from segnext.data.synthetic import draw_scene
from segnext.errors import UsageError
from segnext.predict import Prediction, Predictor
from segnext.serve.answers import Wish
from segnext.serve.counters import Counters
from segnext.serve.engine import Engine, Job
from segnext.serve.intake import check_picture
from segnext.serve.refusals import RefusalError

SIZES = [(64, 64), (96, 64), (64, 64), (96, 64), (64, 96), (64, 64), (64, 64), (64, 64)]


def encode(index: int, size: tuple[int, int]) -> bytes:
    content = io.BytesIO()
    scene, _ = draw_scene(5, index, width=size[0], height=size[1])
    PIL.Image.fromarray(scene).save(content, "PNG")
    return content.getvalue()


PICTURES = [encode(index, size) for index, size in enumerate(SIZES)]


def make_job(data: bytes, output: Any = "mask") -> Job:
    return Job(data, check_picture(data, channels=3, max_pixels=100_000), Wish(output))


def read(content: bytes) -> np.ndarray:
    return np.asarray(PIL.Image.open(io.BytesIO(content)))


class Recording:
    """A predictor that remembers its batches, and waits where it is told to."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        self.spec = predictor.spec
        self.batches: list[list[tuple[int, ...]]] = []
        self.go = threading.Event()
        self.go.set()

    def predict_batch(self, images: Sequence[Image]) -> list[Prediction]:
        self.go.wait(20)
        self.batches.append([image.shape for image in images])
        return self.predictor.predict_batch(images)


@pytest.fixture
def recording(predictor: Predictor) -> Recording:
    return Recording(predictor)


def make_engine(predictors: list[Any], *, queue: int = 20, batch: int = 4) -> Engine:
    return Engine(predictors, Counters({}), queue=queue, batch=batch)


def test_a_batch_answers_as_one_by_one(recording: Recording) -> None:
    expected = [recording.predictor(PIL.Image.open(io.BytesIO(data))).mask for data in PICTURES]
    recording.go.clear()
    engine = make_engine([recording])
    futures = [engine.submit(make_job(data)) for data in PICTURES]
    recording.go.set()
    for future, mask in zip(futures, expected, strict=True):
        np.testing.assert_array_equal(read(future.result(20).body), mask)
    engine.close()
    assert all(len(set(batch)) == 1 for batch in recording.batches)
    assert max(map(len, recording.batches)) == 4
    assert sum(map(len, recording.batches)) == len(PICTURES)


def test_workers_share_the_queue_and_mix_nothing_up(
    predictor: Predictor, scene_weights: Any
) -> None:
    other = Predictor(scene_weights, backend="folded", device="cpu")
    engine = make_engine([predictor, other], queue=100, batch=2)
    futures = [engine.submit(make_job(data)) for data in PICTURES * 3]
    expected = [predictor(PIL.Image.open(io.BytesIO(data))).mask for data in PICTURES] * 3
    for future, mask in zip(futures, expected, strict=True):
        np.testing.assert_array_equal(read(future.result(30).body), mask)
    engine.close()


def test_closing_finishes_what_was_taken(recording: Recording) -> None:
    recording.go.clear()
    engine = make_engine([recording], batch=1)
    futures = [engine.submit(make_job(data)) for data in PICTURES[:3]]
    closing = threading.Thread(target=engine.close)
    closing.start()
    recording.go.set()
    closing.join(20)
    assert all(future.result(0).body for future in futures)
    with pytest.raises(RefusalError, match="the server is stopping"):
        engine.submit(make_job(PICTURES[0]))
    with pytest.raises(RefusalError, match="the server is stopping"), engine.take_place():
        pass


def test_places_are_bounded_and_given_back(recording: Recording) -> None:
    engine = make_engine([recording], queue=1)
    with engine.take_place(), engine.take_place():
        assert engine.taken == 2
        with pytest.raises(RefusalError) as caught, engine.take_place():
            pass
    assert caught.value.status == 429
    assert int(caught.value.headers["Retry-After"]) >= 1
    assert engine.taken == 0
    with engine.take_place():
        pass
    engine.close()


def test_who_is_gone_is_not_computed(recording: Recording) -> None:
    recording.go.clear()
    engine = make_engine([recording], batch=1)
    first, second, third = (engine.submit(make_job(data)) for data in PICTURES[:3])
    assert second.cancel()
    recording.go.set()
    assert first.result(20).body
    assert third.result(20).body
    engine.close()
    assert len(recording.batches) == 2


def test_one_broken_picture_spoils_no_other(recording: Recording) -> None:
    recording.go.clear()
    engine = make_engine([recording])
    blocker = engine.submit(make_job(PICTURES[4]))
    whole = make_job(PICTURES[0])
    broken = make_job(PICTURES[2])
    broken.data = broken.data[: len(broken.data) // 2] + bytes(len(broken.data) // 2)
    futures = [engine.submit(whole), engine.submit(broken)]
    recording.go.set()
    assert blocker.result(20).body
    assert futures[0].result(20).body
    with pytest.raises(RefusalError, match="broken or truncated"):
        futures[1].result(20)
    engine.close()


def test_what_the_model_cannot_take_is_said(recording: Recording) -> None:
    def refuse(images: Sequence[Image]) -> list[Prediction]:
        if images[0].shape[1] == 96 or len(images) > 1:
            msg = "this file takes images of 64x64 px"
            raise UsageError(msg)
        return recording.predictor.predict_batch(images)

    recording.go.clear()
    engine = make_engine([recording])
    blocker = engine.submit(make_job(PICTURES[4]))
    recording.predict_batch = refuse  # type: ignore[method-assign]
    futures = [engine.submit(make_job(PICTURES[index])) for index in (0, 2, 1)]
    recording.go.set()
    assert blocker.result(20).body
    assert futures[0].result(20).body
    assert futures[1].result(20).body
    with pytest.raises(RefusalError, match="this file takes images of 64x64 px") as caught:
        futures[2].result(20)
    assert caught.value.status == 422
    engine.close()
