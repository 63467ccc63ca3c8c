"""A signal to the whole group reaches the run and its workers; the run must survive it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from segnext.training.checkpoint import read_about

SMALL = "embed_dims=[16,32,32,32]", "depths=[1,1,1,1]", "decoder_width=32", "rank=4"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX")
@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_the_run_can_go_on(
    number: signal.Signals, exit_code: int, scenes: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = [sys.executable, "-m", "segnext", "train", str(scenes), "--out", str(run)]
    words += ["--max-steps", "400", "--batch-size", "2", "--workers", "1", "--device", "cpu"]
    words += ["--crop", "64x64", "--set", "validate_every=400", "--set", "log_every=1"]
    words += [word for option in SMALL for word in ("--set", f"model_options.{option}")]
    process = subprocess.Popen(
        words, stderr=subprocess.PIPE, text=True, start_new_session=True, env=os.environ
    )
    log = run / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not (log.exists() and log.read_text().count("\n") >= 3):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.stderr
        time.sleep(0.1)
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == exit_code, said
    assert "everything is saved; go on with segnext train --resume" in " ".join(said.split())
    assert "Traceback" not in said
    done = json.loads(log.read_text().splitlines()[-1])["step"]
    assert done < 400
    progress, _ = read_about(run / "checkpoint.safetensors")
    assert progress.step == done
