import dataclasses
import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image

from segnext.errors import SegnextError, UsageError
from segnext.predict import Predictor, fingerprint
from segnext.predict.bulk import Job, Listed, Outcome, Worker
from subprocesses import run_python


@pytest.fixture(scope="module")
def predictor(scene_weights: Path) -> Predictor:
    return Predictor(scene_weights, device="cpu")


@pytest.fixture
def job(predictor: Predictor, scene_weights: Path, tmp_path: Path) -> Job:
    files = (scene_weights,)
    out = str(tmp_path / "out")
    return Job(files, fingerprint(files), predictor.protocol, out, device="cpu")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_outcomes_tell_sizes_areas_and_errors(job: Job, predictor: Predictor, photo: Path) -> None:
    (photo.parent / "broken.png").write_bytes(b"\x89PNG broken")
    sources = [str(photo), str(photo.parent / "broken.png"), str(photo.parent / "none.png")]
    listed = [Listed(Path(source).name, source) for source in sources]
    good, broken, missing = Worker(job, predictor).run(listed)
    found = predictor(photo)
    assert good == Outcome(
        "a.png", str(photo), size=(40, 50),
        areas={name: a.pixels for name, a in found.areas.items() if a.pixels},
    )  # fmt: skip
    assert sum(good.areas.values()) == 40 * 50
    mask = Image.open(Path(job.out) / "masks" / "a.png.png")
    assert np.array_equal(np.array(mask), found.mask)
    assert sources[1] in broken.error
    assert sources[2] in missing.error
    assert not (Path(job.out) / "masks" / "broken.png.png").exists()


def test_a_worker_opens_the_weights_of_the_job_alone(job: Job, photo: Path) -> None:
    (outcome,) = Worker(job).run([Listed("a.png", str(photo))])
    assert not outcome.error
    with pytest.raises(UsageError, match="a worker found other weights there"):
        Worker(dataclasses.replace(job, made_by="x"))
    with pytest.raises(UsageError, match=r"none\.safetensors: not there for a worker"):
        Worker(dataclasses.replace(job, weights=(Path("none.safetensors"),)))


def test_pictures_in_storage(job: Job, predictor: Predictor, photo: Path) -> None:
    storage = fsspec.filesystem("memory")
    storage.pipe({"/p/a.png": photo.read_bytes(), "/p/b.png": b"\x89PNG broken"})
    listed = [Listed(f"{name}.png", f"memory://p/{name}.png") for name in "abc"]
    good, broken, missing = Worker(job, predictor).run(listed)
    storage.rm("/p", recursive=True)
    assert good.areas == {n: a.pixels for n, a in predictor(photo).areas.items() if a.pixels}
    assert broken.error.startswith("memory://p/b.png: ")
    assert missing.error == "memory://p/c.png: cannot be fetched (not found)"


def test_outputs_that_cannot_be_written_end_the_run(
    job: Job, predictor: Predictor, photo: Path
) -> None:
    Path(job.out).write_text("a file where a folder should be")
    with pytest.raises(SegnextError, match="cannot be written"):
        list(Worker(job, predictor).run([Listed("a.png", str(photo))]))


FETCH = """
import json, os
os.environ.pop("SEGNEXT_OFFLINE", None)
from pathlib import Path
from segnext.predict import Predictor, fingerprint
from segnext.predict.bulk import Job, Worker, list_pictures
weights, listing, out = (Path(word) for word in sys.argv[1:])
predictor = Predictor(weights, device="cpu")
job = Job((weights,), fingerprint([weights]), predictor.protocol, str(out), device="cpu")
found = Worker(job, predictor).run(list_pictures(str(listing)))
print(json.dumps([outcome.to_json() for outcome in found]))
"""


@pytest.fixture
def website(photo: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=photo.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.slow
def test_pictures_of_a_website(
    website: str, photo: Path, scene_weights: Path, predictor: Predictor, tmp_path: Path
) -> None:
    pytest.importorskip("aiohttp", reason="fsspec reads http:// with it")
    (tmp_path / "list.txt").write_text(f"{website}/a.png\n{website}/none.png\n")
    good, missing = run_python(FETCH, scene_weights, tmp_path / "list.txt", tmp_path / "out")
    assert good["areas"] == {n: a.pixels for n, a in predictor(photo).areas.items() if a.pixels}
    assert missing["error"] == f"{website}/none.png: cannot be fetched (not found)"
    assert (tmp_path / "out" / "masks" / f"{good['name']}.png").exists()
