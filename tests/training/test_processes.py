"""A run in one gloo process or three has the same losses and the same score."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runs import run
from segnext.training.processes import Processes

SMALL = (
    "embed_dims=[16,32,32,32]",
    "depths=[1,1,1,1]",
    "mlp_ratios=[2,2,2,2]",
    "decoder_width=32",
    "rank=4",
)

CURVES = (("train", "loss"), ("val", "miou"))


def launch(scenes: Path, out: Path, processes: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc-per-node={processes}", "-m", "segnext", "train", str(scenes)]
    command += ["--out", str(out), "--device", "cpu", "--workers", "0", "--init", "none"]
    command += ["--crop", "64x64", "--batch-size", "5", "--max-steps", "4"]
    command += ["--set", "validate_every=2", "--set", "log_every=1"]
    command += [word for option in SMALL for word in ("--set", f"model_options.{option}")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "SEGNEXT_OFFLINE": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)


def read(out: Path, kind: str) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [record for record in records if record["kind"] == kind]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="gloo under torchrun is for POSIX here")
def test_three_processes_train_like_one(scenes: Path, tmp_path: Path) -> None:
    run(scenes, tmp_path / "1", batch_size=5)
    one = [[r[name] for r in read(tmp_path / "1", kind)] for kind, name in CURVES]
    assert len(one[0]) == 4
    done = launch(scenes, tmp_path / "3", 3)  # shares of one and two pictures
    assert done.returncode == 0, done.stderr
    many = [[r[name] for r in read(tmp_path / "3", kind)] for kind, name in CURVES]
    assert many[0] == pytest.approx(one[0], abs=1e-4)
    # A pixel whose two best logits nearly tie may fall either way.
    assert many[1] == pytest.approx(one[1], abs=1e-3)


def test_shares_are_whole_and_disjoint() -> None:
    processes = Processes.alone()
    for count in (1, 2, 3, 5):
        processes.count = count
        shares = []
        for processes.rank in range(count):
            shares.append(processes.share(7))
        assert [number for share in shares for number in share] == list(range(7))
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_lone_process_makes_things_itself() -> None:
    processes = Processes.alone()
    assert processes.is_main
    assert processes.once(lambda: 5) == 5
