import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image

from segnext.errors import SegnextError
from segnext.predict import Predictor, fingerprint
from segnext.predict.bulk import (
    Job,
    Listed,
    Outcome,
    Shard,
    Worker,
    list_pictures,
    predict_listed,
)


@pytest.fixture(scope="module")
def predictor(scene_weights: Path) -> Predictor:
    return Predictor(scene_weights, device="cpu")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for number in range(40):
        path = folder / str(number % 3) / f"{number:02}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(random.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(path)
    return folder


def new_job(weights: Path, predictor: Predictor, out: Path | str) -> Job:
    made_by = fingerprint([weights])
    return Job((weights,), made_by, predictor.protocol, str(out), device="cpu")


def outputs(folder: Path) -> dict[str, bytes]:
    """Return what was predicted; a kill may leave hidden files that were never finished."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*.png")
        if not path.name.startswith(".")
    }


def listed_in(out: Path) -> Counter[str]:
    names: Counter[str] = Counter()
    for file in (out / "manifest").glob("*.jsonl"):
        for line in file.read_text().splitlines():
            try:
                names.update([json.loads(line)["name"]])
            except (ValueError, KeyError):
                continue
    return names


@pytest.fixture(scope="module")
def undisturbed(
    photos: Path,
    predictor: Predictor,
    scene_weights: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    job = new_job(scene_weights, predictor, tmp_path_factory.mktemp("undisturbed"))
    summary = predict_listed(list_pictures(str(photos)), job, Worker(job, predictor).run)
    assert (summary.done, summary.skipped, summary.failed) == (40, 0, 0)
    return Path(job.out)


def test_masks_of_all_pictures(undisturbed: Path, photos: Path, predictor: Predictor) -> None:
    assert len(outputs(undisturbed)) == 80
    mask = np.array(Image.open(undisturbed / "masks" / "1" / "01.png.png"))
    assert np.array_equal(mask, predictor(photos / "1" / "01.png").mask)


def test_parts_in_any_order_make_the_whole(
    photos: Path, predictor: Predictor, scene_weights: Path, undisturbed: Path, tmp_path: Path
) -> None:
    job = new_job(scene_weights, predictor, tmp_path / "out")
    worker = Worker(job, predictor)
    for index in (2, 0, 1):
        predict_listed(list_pictures(str(photos)), job, worker.run, shard=Shard(index, 3))
    assert outputs(tmp_path / "out") == outputs(undisturbed)
    assert len(list((tmp_path / "out" / "manifest").iterdir())) == 3
    assert set(listed_in(tmp_path / "out").values()) == {1}
    # One process goes on where an array was, and finds nothing to do.
    again = predict_listed(list_pictures(str(photos)), job, worker.run)
    assert (again.done, again.skipped) == (0, 40)
    assert len(list((tmp_path / "out" / "manifest").iterdir())) == 3


def test_storage_in_and_out(
    photos: Path, predictor: Predictor, scene_weights: Path, undisturbed: Path
) -> None:
    storage = fsspec.filesystem("memory")
    storage.put(f"{photos}/0/", "/in/0", recursive=True)
    job = new_job(scene_weights, predictor, "memory://out")
    worker = Worker(job, predictor)
    summary = predict_listed(list_pictures("memory://in"), job, worker.run)
    again = predict_listed(list_pictures("memory://in"), job, worker.run)
    written = {
        path.removeprefix("/out/"): storage.cat(path)
        for path in storage.find("/out")
        if path.endswith(".png")
    }
    storage.rm(["/in", "/out"], recursive=True)
    assert (summary.done, again.done, again.skipped) == (14, 0, 14)
    expected = outputs(undisturbed)
    assert written == {name: expected[name] for name in expected if "/0/" in name}


def test_failures_are_noted_and_tried_again(
    predictor: Predictor, scene_weights: Path, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (40, 40)).save(tmp_path / "photos" / "b.png")
    (tmp_path / "photos" / "a.png").write_bytes(b"\x89PNG broken")
    job = new_job(scene_weights, predictor, tmp_path / "out")
    worker = Worker(job, predictor)
    counts = []
    summary = predict_listed(
        list_pictures(str(tmp_path / "photos")),
        job,
        worker.run,
        on_picture=lambda so_far: counts.append(so_far.done + so_far.failed),
    )
    assert (summary.done, summary.failed, counts) == (1, 1, [1, 2])
    assert "a.png" in summary.errors[0]
    assert listed_in(tmp_path / "out") == {"a.png": 1, "b.png": 1}
    Image.new("RGB", (40, 40)).save(tmp_path / "photos" / "a.png")
    again = predict_listed(list_pictures(str(tmp_path / "photos")), job, worker.run)
    assert (again.done, again.skipped, again.failed) == (1, 1, 0)
    last = predict_listed(list_pictures(str(tmp_path / "photos")), job, worker.run)
    assert (last.done, last.skipped) == (0, 2)


def test_the_first_failure_may_stop_the_run(
    predictor: Predictor, scene_weights: Path, tmp_path: Path
) -> None:
    sources = [Listed(name, str(tmp_path / name)) for name in ("a.png", "b.png", "c.png")]
    for name in ("a.png", "c.png"):
        Image.new("RGB", (40, 40)).save(tmp_path / name)
    job = new_job(scene_weights, predictor, tmp_path / "out")
    with pytest.raises(SegnextError, match=r"b\.png"):
        predict_listed(sources, job, Worker(job, predictor).run, stop_on_error=True)
    assert listed_in(tmp_path / "out") == {"a.png": 1, "b.png": 1}


def test_names_are_streamed(predictor: Predictor, scene_weights: Path, tmp_path: Path) -> None:
    job = new_job(scene_weights, predictor, tmp_path / "out")
    waiting, most = 0, 0

    def pictures() -> Iterator[Listed]:
        nonlocal waiting, most
        for number in range(300):
            waiting += 1
            most = max(most, waiting)
            yield Listed(f"{number}.png", "")

    def engine(listed: Iterable[Listed]) -> Iterator[Outcome]:
        nonlocal waiting
        for picture in listed:
            waiting -= 1
            yield Outcome(picture.name, picture.source, error="none")

    summary = predict_listed(pictures(), job, engine)
    assert (most, summary.failed, len(summary.errors)) == (1, 300, 20)


KILLED = """
import sys, time
from pathlib import Path
from segnext.predict import Predictor, fingerprint
from segnext.predict.bulk import Job, Worker, list_pictures, predict_listed
from segnext.predict.bulk.storing import LocalStore
photos, weights, out = (Path(word) for word in sys.argv[1:])
LocalStore.batch_lines = 4
class Slow(Predictor):
    def predict(self, image):
        time.sleep(0.05)
        return super().predict(image)
predictor = Slow(weights, device="cpu")
job = Job((weights,), fingerprint([weights]), predictor.protocol, str(out), device="cpu")
predict_listed(list_pictures(str(photos)), job, Worker(job, predictor).run)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_kill_loses_nothing_and_repeats_nothing_that_was_listed(
    photos: Path, predictor: Predictor, scene_weights: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = [sys.executable, "-c", KILLED, str(photos), str(scene_weights), str(out)]
    process = subprocess.Popen(words, env=os.environ)
    deadline = time.monotonic() + 600  # busy machines take long to start
    while len(listed_in(out)) < 8:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    before = listed_in(out)
    assert 8 <= len(before) < 40
    expected = outputs(undisturbed)
    for name in before:  # what is listed is there
        for kind in ("masks", "overlays"):
            assert (out / kind / f"{name}.png").read_bytes() == expected[f"{kind}/{name}.png"]

    job, predicted = new_job(scene_weights, predictor, out), []

    def engine(pictures: Iterable[Listed]) -> Iterator[Outcome]:
        for outcome in Worker(job, predictor).run(pictures):
            predicted.append(outcome.name)
            yield outcome

    summary = predict_listed(list_pictures(str(photos)), job, engine)
    assert (summary.done, summary.skipped) == (40 - len(before), len(before))
    assert not set(predicted) & set(before)
    assert outputs(out) == expected
    assert set(listed_in(out).values()) == {1}
    assert len(listed_in(out)) == 40
