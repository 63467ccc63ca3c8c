"""Trackers of experiments, through accelerate: TensorBoard, Weights & Biases, MLflow and others."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.tracking import get_available_trackers
from accelerate.utils import LoggerType

from segnext.errors import UsageError, describe_unknown

# Where the package to install has another name than the tracker.
_PACKAGES = {"tensorboard": '"segnext[track]"', "comet_ml": "comet-ml"}


class Trackers:
    """Sends what `metrics.jsonl` gets to trackers too; only the main process speaks.

    Args:
        names: Of accelerate's trackers.
        directory: The run folder; local trackers write below it.
        config: Of the run, flat.

    Raises:
        UsageError: A name is unknown, or its package is not installed.
    """

    def __init__(self, names: Sequence[str], directory: Path, config: dict[str, Any]) -> None:
        check_trackers(names)
        self._accelerator = None
        if names:
            self._accelerator = Accelerator(log_with=list(names), project_dir=directory)
            values = {
                name: value if isinstance(value, int | float | str | bool) else str(value)
                for name, value in config.items()
            }
            self._accelerator.init_trackers("segnext", config=values)

    def log(self, record: dict[str, Any]) -> None:
        """Send the numbers of one line of the log: `train/loss`, `val/miou`, `val/iou/road`."""
        if self._accelerator is None:
            return
        prefix = record["kind"]
        numbers = {
            f"{prefix}/{name}": value
            for name, value in record.items()
            if isinstance(value, int | float) and name != "step"
        }
        for name, value in record.get("iou_per_class", {}).items():
            if value is not None:
                numbers[f"{prefix}/iou/{name}"] = value
        self._accelerator.log(numbers, step=record["step"])

    def close(self) -> None:
        """Finish what trackers buffer."""
        if self._accelerator is not None:
            # Not `end_training`: that leaves the process group, which the run still needs.
            for tracker in self._accelerator.trackers:
                tracker.finish()


def check_trackers(names: Sequence[str]) -> None:
    """Refuse trackers that are unknown or not installed.

    Raises:
        UsageError: Says what to install.
    """
    known = [str(kind.value) for kind in LoggerType if kind is not LoggerType.ALL]
    for name in names:
        if name not in known:
            raise UsageError(describe_unknown("tracker", name, known))
        if not _is_installed(name):
            msg = f"tracker {name} is not installed: pip install {_PACKAGES.get(name, name)}"
            raise UsageError(msg)


def _is_installed(name: str) -> bool:
    return name in {str(getattr(kind, "value", kind)) for kind in get_available_trackers()}
