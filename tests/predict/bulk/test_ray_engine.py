import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segnext.errors import UsageError
from segnext.predict import Predictor, fingerprint
from segnext.predict.bulk import Job, Listed, Worker, list_pictures, predict_listed, predict_on_ray
from subprocesses import run_python


def new_job(weights: Path, out: Path) -> Job:
    predictor = Predictor(weights, device="cpu")
    made_by = fingerprint([weights])
    return Job((weights,), made_by, predictor.protocol, str(out), "eager", "cpu")


def test_without_ray_the_extra_is_named(
    scene_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    job = new_job(scene_weights, tmp_path)
    with pytest.raises(UsageError, match=r'--engine ray needs pip install "segnext\[ray\]"'):
        list(predict_on_ray([Listed("a", "a")], job))
    # With nothing to do it is not needed.
    assert list(predict_on_ray([], job)) == []


KILLED = """
import json, os, signal
from pathlib import Path
import psutil
from segnext.predict import Predictor, fingerprint
from segnext.predict.bulk import Job, list_pictures, predict_listed, predict_on_ray
photos, weights, out = (Path(word) for word in sys.argv[1:])
protocol = Predictor(weights, device="cpu").protocol
job = Job((weights,), fingerprint([weights]), protocol, str(out), "eager", "cpu")
killed = []

def kill_one(summary):
    if killed:
        return
    for process in psutil.Process().children(recursive=True):
        if "MapWorker" in " ".join(process.cmdline()):
            killed.append(process.pid)
            process.send_signal(signal.SIGKILL)
            return

summary = predict_listed(
    list_pictures(str(photos)),
    job,
    lambda pictures: predict_on_ray(pictures, job, workers=2, block=2),
    on_picture=kill_one,
)
print(json.dumps({"killed": len(killed), "done": summary.done, "failed": summary.failed,
                  "errors": summary.errors}))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_killed_worker_is_replaced_and_nothing_is_lost(
    scene_weights: Path, tmp_path: Path
) -> None:
    pytest.importorskip("ray", reason="needs segnext[ray]")
    random = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for number in range(24):
        pixels = random.integers(0, 256, (160, 200, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number:02}.png")
    (tmp_path / "photos" / "broken.png").write_bytes(b"\\x89PNG broken")
    found = run_python(KILLED, tmp_path / "photos", scene_weights, tmp_path / "ray")
    assert (found["killed"], found["done"], found["failed"]) == (1, 24, 1)
    assert "broken.png" in found["errors"][0]
    job = new_job(scene_weights, tmp_path / "here")
    here = predict_listed(list_pictures(str(tmp_path / "photos")), job, Worker(job).run)
    assert (here.done, here.failed) == (24, 1)
    files = {
        out: {p.relative_to(tmp_path / out): p.read_bytes() for p in (tmp_path / out).rglob("*.png")
              if not p.name.startswith(".")}
        for out in ("ray", "here")
    }  # fmt: skip
    assert len(files["here"]) == 48
    assert files["ray"] == files["here"]
    assert len((tmp_path / "ray/manifest/shard-00000-of-00001.jsonl").read_text().splitlines()) > 24
