"""Time a whole `segnext train --resume`, from its start to the first step done, by how far it is.

OMP_NUM_THREADS=1 python benchmarks/resume.py [--model segnext_tiny] [--workers 2] [--rounds 7]

A run is begun and stopped; copies of it get the step and the log that a run of so many steps has.
Each round resumes every copy once, in a process of its own.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from segnext.data.synthetic import write_scenes
from segnext.training.checkpoint import read_about
from segnext.training.run_files import RunFiles

LOG_EVERY = 10
LONGEST_S = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="segnext_tiny")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", default="10,1000,100000,1000000")
    options = parser.parse_args()
    steps = [int(step) for step in options.steps.split(",")]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        begun = begin(folder, options.model, options.workers, max(steps))
        runs = {step: move_to(begun, step, folder / f"at-{step}") for step in steps}
        times: dict[int, list[float]] = {step: [] for step in steps}
        for turn in range(options.rounds + 1):
            for step, run in runs.items():
                seconds = resume(run, step, folder / "resumed")
                if turn:  # the first one warms up
                    times[step].append(seconds)
    print(
        f"{options.model}, {options.workers} workers, {options.rounds} rounds, "
        f"torch {torch.__version__}, {platform.machine()}"
    )
    for step, seconds in times.items():
        ratio = statistics.median(a / b for a, b in zip(seconds, times[steps[0]], strict=True))
        print(
            f"step {step:>9,}: {statistics.median(seconds):5.2f} s "
            f"({min(seconds):.2f} to {max(seconds):.2f}), {ratio:.2f} x the first"
        )


def begin(folder: Path, model: str, workers: int, furthest: int) -> RunFiles:
    """Train a run that is to go on beyond `furthest` until its first log line, and stop it."""
    write_scenes(folder / "scenes", train=24, val=4, test=4, height=128, width=192)
    run = folder / "begun"
    settings = {"log_every": LOG_EVERY, "validate_every": 2 * furthest}
    command = [
        *("train", str(folder / "scenes"), "--out", str(run), "--model", model, "--init", "none"),
        *("--crop", "64x64", "--batch-size", "4", "--max-steps", str(2 * furthest)),
        *("--workers", str(workers), "--device", "cpu", "--no-report"),
        *(word for name, value in settings.items() for word in ("--set", f"{name}={value}")),
    ]
    run_until_it_logs(command, run / "metrics.jsonl", 0)
    return RunFiles(run)


def move_to(begun: RunFiles, step: int, target: Path) -> Path:
    """Copy a run, and make it one that stands just before `step`, the next to be logged."""
    shutil.copytree(begun.path, target)
    moved = RunFiles(target)
    record = moved.read_log()[0]
    with moved.log.open("w", encoding="utf-8") as log:
        for logged in range(LOG_EVERY, step, LOG_EVERY):
            log.write(json.dumps({**record, "step": logged}) + "\n")
    with safe_open(moved.checkpoint, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = file.metadata()
    stand = json.loads(about["segnext_run"])
    taken = [record["loss"], record["gradient_norm"], 0.1]
    stand["progress"] |= {
        "step": step - 1,
        "log_bytes": moved.log_length(),
        "unlogged": [taken] * (LOG_EVERY - 1),
    }
    save_file(tensors, moved.checkpoint, {**about, "segnext_run": json.dumps(stand)})
    return target


def resume(run: Path, step: int, copy: Path) -> float:
    """Resume a copy of a run; return the seconds until its next step is done."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(run, copy)
    log = copy / "metrics.jsonl"
    length = log.stat().st_size
    seconds = run_until_it_logs(["train", "--resume", str(copy)], log, length)
    with log.open("rb") as file:
        file.seek(length)
        logged = json.loads(file.readline())["step"]
    if logged != step or read_about(copy / "checkpoint.safetensors")[0].step < step:
        msg = f"went on at step {logged}, not at {step}"
        raise RuntimeError(msg)
    return seconds


def run_until_it_logs(command: list[str], log: Path, length: int) -> float:
    """Run segnext until its log is longer than `length`; return the seconds, then stop it."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "segnext", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "COLUMNS": "120"},
    )
    while not log.exists() or log.stat().st_size <= length:
        if process.poll() is not None or time.perf_counter() - start > LONGEST_S:
            process.kill()
            raise RuntimeError(process.communicate()[1].decode())
        time.sleep(0.005)
    seconds = time.perf_counter() - start
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=LONGEST_S)
    return seconds


if __name__ == "__main__":
    main()
