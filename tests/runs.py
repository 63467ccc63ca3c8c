"""Training runs of a few seconds, for tests of what depends on one."""

import json
from pathlib import Path
from typing import Any

from conftest import SMALLEST
from segnext.training import TrainRun, train

TINY: dict[str, Any] = {
    "model_options": SMALLEST,
    "init": "none",
    "crop_size": (64, 64),
    "batch_size": 2,
    "num_workers": 0,
    "device": "cpu",
    "log_every": 1,
}


def run(scenes: Path, out: Path, **options: Any) -> TrainRun:
    defaults = {**TINY, "max_steps": 4, "validate_every": 2}
    return train(scenes, out=out, quiet=True, **{**defaults, **options})


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def without_times(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    times = {"images_per_s", "elapsed_s"}
    return [{k: v for k, v in record.items() if k not in times} for record in records]
