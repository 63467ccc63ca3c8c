"""The files that every run leaves, whatever it trains: log, weights, checkpoint."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segnext.errors import TrainingError

CHECKPOINT = "checkpoint.safetensors"


class RunFiles:
    """Names the files of a run, and keeps its log.

    Args:
        path: The run's folder; made if missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.log = path / "metrics.jsonl"
        self.curves = path / "curves.png"
        self.best = path / "best.safetensors"
        self.last = path / "last.safetensors"
        self.checkpoint = path / CHECKPOINT
        self.divergence = path / "divergence.json"
        make_folder(path, path)

    def diverged_batch(self, rank: int) -> Path:
        """Return where a process keeps its share of a batch whose loss is not finite."""
        return self.path / f"divergence_{rank}.safetensors"

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a line to the metrics log.

        Raises:
            TrainingError: The disk or its permissions refuse.
        """
        try:
            with self.log.open("ab") as file:
                file.write((json.dumps(record) + "\n").encode())
        except OSError as error:
            msg = (
                f"{self.log}: cannot be written ({error.strerror or error}); make room and go on "
                f"with --resume {self.path}"
            )
            raise TrainingError(msg) from error

    def log_length(self) -> int:
        """Return the length of the metrics log in bytes."""
        return self.log.stat().st_size if self.log.exists() else 0

    def cut_log(self, length: int) -> None:
        """Drop log lines of steps that a resumed run will do again."""
        if self.log.exists():
            with self.log.open("r+b") as file:
                file.truncate(min(length, self.log_length()))

    def remove_fragments(self) -> None:
        """Remove the temporary files of a run that was killed while it wrote them."""
        for path in self.path.rglob(".*.tmp"):
            path.unlink()

    def read_log(self) -> list[dict[str, Any]]:
        """Return every line of the metrics log."""
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]


def make_folder(folder: Path, run: Path) -> None:
    """Make a folder of a run.

    Raises:
        TrainingError: The disk or its permissions refuse.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{run}: the run folder cannot be made ({error.strerror}); choose another --out"
        raise TrainingError(msg) from error


def next_run_folder(parent: Path, name: str) -> Path:
    """Return the first of `parent/name-1`, `parent/name-2`, ... that does not exist."""
    number = 1
    while (parent / f"{name}-{number}").exists():
        number += 1
    return parent / f"{name}-{number}"
