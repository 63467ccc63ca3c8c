"""Kill a small run at random moments, resume it each time, and compare it with one left alone.

python benchmarks/kill_soak.py [--kills 20] [--steps 60] [--seed 0]

Prints where each kill fell. Ends with exit code 0 if weights, optimizer state and metrics.jsonl
(but for times) equal those of the uninterrupted run bit for bit, and with 1 if not.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from segnext.data.synthetic import write_scenes
from segnext.training.checkpoint import read_about

OPTIONS = {
    "embed_dims": "[16,32,32,32]",
    "depths": "[1,1,1,1]",
    "mlp_ratios": "[2,2,2,2]",
    "decoder_width": "32",
}
TIMES = {"images_per_s", "elapsed_s"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0, help="of the moments to kill at")
    options = parser.parse_args()
    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scenes = write_scenes(folder / "scenes", train=6, val=2, test=1, width=64, height=64)
        alone, killed = folder / "alone", folder / "killed"
        subprocess.run(start(scenes, alone, options.steps), check=True)
        for number in range(options.kills):
            command = next_command(scenes, killed, options.steps)
            kill_once(command, killed, moments, longest=options.steps // options.kills)
            print(f"kill {number + 1}: checkpoint at step {saved_step(killed)}", flush=True)
        subprocess.run(next_command(scenes, killed, options.steps), check=True)
        problems = compare(alone, killed)
    print("\n".join(problems) or f"{options.kills} kills: the same bits")
    sys.exit(bool(problems))


def start(scenes: Path, out: Path, steps: int) -> list[str]:
    command = [sys.executable, "-m", "segnext", "train", str(scenes), "--out", str(out), "-q"]
    command += ["--max-steps", str(steps), "--batch-size", "2", "--crop", "64x64"]
    command += ["--init", "none", "--device", "cpu", "--workers", "1"]
    # Log lines, checkpoints and validations fall on different steps.
    command += ["--set", "log_every=3", "--set", f"validate_every={max(1, steps // 4)}"]
    command += ["--set", "checkpoint_every=0.1"]
    for name, value in OPTIONS.items():
        command += ["--set", f"model_options.{name}={value}"]
    return command


def next_command(scenes: Path, out: Path, steps: int) -> list[str]:
    if saved_step(out) < 0:
        return start(scenes, out, steps)
    return [sys.executable, "-m", "segnext", "train", "--resume", str(out), "-q"]


def kill_once(command: list[str], out: Path, moments: random.Random, *, longest: int) -> None:
    """Start a process and kill it some 0 to `longest` steps later, at any moment of a step."""
    log = out / "metrics.jsonl"
    changed = log.stat().st_mtime if log.exists() else 0.0
    wanted = saved_step(out) + moments.randint(0, longest)
    process = subprocess.Popen(command)
    while process.poll() is None:
        time.sleep(moments.uniform(0, 0.2))
        started = log.exists() and log.stat().st_mtime > changed
        if started and saved_step(out) >= wanted:
            break
    if process.poll():
        sys.exit(f"the run failed by itself, with exit code {process.returncode}")
    process.kill()
    process.wait()


def saved_step(out: Path) -> int:
    checkpoint = out / "checkpoint.safetensors"
    return read_about(checkpoint)[0].step if checkpoint.exists() else -1


def compare(alone: Path, killed: Path) -> list[str]:
    problems = []
    for name in ("best.safetensors", "last.safetensors", "checkpoint.safetensors"):
        expected, found = load_file(alone / name), load_file(killed / name)
        same = expected.keys() == found.keys() and all(
            torch.equal(expected[key], found[key]) for key in expected
        )
        if not same:
            problems.append(f"{name} differs")
    if read_log(alone) != read_log(killed):
        problems.append("metrics.jsonl differs")
    names = [{path.name for path in out.rglob("*")} for out in (alone, killed)]
    if names[0] != names[1]:
        problems.append(f"only in one of the folders: {sorted(names[0] ^ names[1])}")
    return problems


def read_log(out: Path) -> list[dict[str, Any]]:
    records = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
    return [{k: v for k, v in record.items() if k not in TIMES} for record in records]


if __name__ == "__main__":
    main()
