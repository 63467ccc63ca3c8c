"""What past runs left on disk, read back to list, look at and compare them.

Reading never writes, and never needs a run to be over: the last line of a log that is being
written is ignored, and whatever else cannot be read is told in `RunHistory.problems`.
"""

import csv
import io
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import yaml
from matplotlib.figure import Figure

from segnext.errors import TrainingError
from segnext.parsing import parse_json, parse_yaml
from segnext.training.checkpoint import Progress, read_about
from segnext.training.run_files import CHECKPOINT

CONFIG, LOG, PER_CLASS = "config.yaml", "metrics.jsonl", "per_class.csv"
SEARCH_DEPTH = 3
LOSS_WINDOWS = 20  # the drawn loss is averaged over this part of a run's log

# Okabe and Ito's colours, told apart by colour-blind readers too; then other line styles.
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_STYLES = ("-", "--", ":", "-.")
# The config.yaml of `segnext classify train`, whose scores are others.
_CLASSIFIER = re.compile(rb"^model: mscan_", re.MULTILINE)

Series = npt.NDArray[np.float64]
State = Literal["done", "stopped", "unfinished"]


@dataclass(frozen=True)
class LoggedStep:
    """A training line of the log; what an older version did not write is `None`.

    Attributes:
        step: Optimizer steps done.
        loss: Mean loss since the line before.
        elapsed_s: Wall time of training until then, in seconds.
    """

    step: int
    loss: float | None
    elapsed_s: float | None


@dataclass(frozen=True)
class Validation:
    """A validation line of the log; scores are 0-1, and `None` where not known.

    Attributes:
        step: Optimizer steps done.
        miou: Mean IoU over the validation split.
        pixel_accuracy: Share of pixels that are right.
        mean_accuracy: Mean over classes of the share of their pixels that are right.
        iou_per_class: By class name; `None` for classes nowhere in truth or prediction.
    """

    step: int
    miou: float
    pixel_accuracy: float | None
    mean_accuracy: float | None
    iou_per_class: Mapping[str, float | None]


@dataclass(frozen=True)
class RunHistory:
    """Everything a run folder tells about its run.

    Attributes:
        path: The run folder.
        options: Of config.yaml, by name.
        reasons: Why an option was chosen, for those that nobody gave.
        steps: Training lines of the log, in its order.
        validations: Validation lines of the log, in its order.
        per_class: `iou`, `accuracy` and `dice`, 0-1 or `None`, of every class at the best
            validation.
        progress: Where the checkpoint stands; `None` without a readable one.
        log_bytes: Length of the log.
        written: When the run last wrote, in seconds since 1970.
        problems: What could not be read, a line each.
    """

    path: Path
    options: Mapping[str, Any]
    reasons: Mapping[str, str]
    steps: Sequence[LoggedStep]
    validations: Sequence[Validation]
    per_class: Mapping[str, Mapping[str, float | None]]
    progress: Progress | None
    log_bytes: int
    written: float
    problems: Sequence[str]

    @property
    def name(self) -> str:
        """Name of the run folder."""
        return self.path.resolve().name

    @property
    def data_name(self) -> str:
        """Name of the data folder, or of the folder that holds the data.yaml."""
        data = Path(str(self.options["data"]))
        return (data.parent if data.suffix in {".yaml", ".yml"} else data).name or str(data)

    @property
    def max_steps(self) -> int | None:
        """Optimizer steps of the whole run."""
        return self._whole_number("max_steps")

    def _whole_number(self, name: str) -> int | None:
        value = self.options.get(name)
        return value if isinstance(value, int) else None

    @property
    def step(self) -> int:
        """Optimizer steps done, as far as log or checkpoint know."""
        steps = [line.step for line in self.steps]
        steps += [validation.step for validation in self.validations]
        return max((self.progress.step if self.progress else 0, *steps))

    @property
    def elapsed_s(self) -> float:
        """Wall time spent on training, in seconds."""
        times = [line.elapsed_s or 0.0 for line in self.steps]
        return max((self.progress.elapsed_s if self.progress else 0.0, *times))

    @property
    def best(self) -> Validation | None:
        """The validation of the highest mIoU, the later one of equals, as in training."""
        if self.validations:
            return max(self.validations, key=lambda validation: (validation.miou, validation.step))
        if self.progress and self.progress.best_miou >= 0:
            return Validation(self.progress.best_step, self.progress.best_miou, None, None, {})
        return None

    @property
    def state(self) -> State:
        """Whether the run is `done`, `stopped` by a signal, or `unfinished`.

        A folder does not tell a run that goes on from one that was killed. A stop is certain
        when the checkpoint is the last thing written and no validation was due at its step.
        """
        steps, every = self.max_steps, self._whole_number("validate_every")
        saved = self.progress
        finished = saved is not None and (saved.finished or saved.step >= (steps or math.inf))
        if finished or (steps and self._validated_at(steps)):
            return "done"
        if saved and every and saved.step % every and saved.log_bytes == self.log_bytes:
            return "stopped"
        return "unfinished"

    def _validated_at(self, step: int) -> bool:
        return bool(self.validations) and self.validations[-1].step >= step

    def elapsed_at(self, step: int) -> float | None:
        """Return the wall time at a step in seconds, between log lines by interpolation."""
        known = [(line.step, line.elapsed_s) for line in self.steps if line.elapsed_s is not None]
        if not known:
            return None
        steps, times = zip((0, 0.0), *known, strict=True)
        return float(np.interp(step, steps, times))


def find_runs(path: Path) -> list[Path]:
    """Return the run folders at and below a folder, at most three levels deep, by name.

    Links are not followed, and nothing is searched inside a run.

    Raises:
        TrainingError: There is no such folder.
    """
    if not path.is_dir():
        msg = f"{path}: no such folder; name the one that holds the runs"
        raise TrainingError(msg)
    return _find(path, SEARCH_DEPTH)


def _find(path: Path, depth: int) -> list[Path]:
    if _is_run(path):
        return [path]
    if not depth:
        return []
    try:
        with os.scandir(path) as entries:
            folders = sorted(e.path for e in entries if e.is_dir(follow_symlinks=False))
    except PermissionError:
        return []
    return [run for folder in folders for run in _find(Path(folder), depth - 1)]


def _is_run(path: Path) -> bool:
    # A folder that may not be entered counts as one without files.
    return os.access(path, os.X_OK) and (
        (path / CONFIG).is_file()
        and ((path / LOG).is_file() or (path / CHECKPOINT).is_file())
        and not _CLASSIFIER.search((path / CONFIG).read_bytes())
    )


def read_run(path: Path) -> RunHistory:
    """Read a run folder, whether its run is over or not.

    Raises:
        TrainingError: The folder is not that of a run, or its config.yaml cannot be read.
    """
    if not _is_run(path):
        why = f"no {CONFIG} with {LOG} or {CHECKPOINT} in it" if path.is_dir() else "no such folder"
        msg = f"not a run folder: {path} ({why}); segnext runs list shows those there are"
        raise TrainingError(msg)
    options, reasons = _read_config(path / CONFIG)
    if not {"data", "model"} <= options.keys():
        msg = f"not a run folder: {path} (its {CONFIG} names no data and model)"
        raise TrainingError(msg)
    problems: list[str] = []
    steps, validations, log_bytes = _read_log(path / LOG, problems)
    return RunHistory(
        path=path,
        options=options,
        reasons=reasons,
        steps=steps,
        validations=validations,
        per_class=_read_per_class(path / PER_CLASS, problems),
        progress=_read_progress(path / CHECKPOINT, problems),
        log_bytes=log_bytes,
        written=max(
            file.stat().st_mtime
            for name in (CONFIG, LOG, CHECKPOINT)
            if (file := path / name).exists()
        ),
        problems=problems,
    )


def _read_config(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the options and the comments that stand behind them."""
    try:
        text = path.read_text(encoding="utf-8")
        # Composed after it was parsed, hence within bounds.
        options, root = parse_yaml(text), yaml.compose(text, Loader=yaml.SafeLoader)
    except (OSError, ValueError) as error:
        msg = f"{path}: cannot be read as YAML: {error}"
        raise TrainingError(msg) from error
    if not isinstance(options, dict) or not isinstance(root, yaml.MappingNode):
        return {}, {}
    reasons = {}
    for key, value in root.value:
        rest = text[value.end_mark.index :].partition("\n")[0].strip()
        if rest.startswith("#"):
            reasons[key.value] = rest.removeprefix("#").strip()
    return options, reasons


def _read_log(path: Path, problems: list[str]) -> tuple[list[LoggedStep], list[Validation], int]:
    steps: list[LoggedStep] = []
    validations: list[Validation] = []
    content = path.read_bytes() if path.exists() else b""
    # What follows the last line break is being written just now, or was cut off by a kill.
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            record = parse_json(line)
            if record["kind"] == "train":
                loss, elapsed = _number(record.get("loss")), _number(record.get("elapsed_s"))
                steps.append(LoggedStep(int(record["step"]), loss, elapsed))
            elif record["kind"] == "val":
                validations.append(_read_validation(record))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            problems.append(f"{path}: line {number} cannot be read")
    return steps, validations, len(content)


def _read_validation(record: Mapping[str, Any]) -> Validation:
    classes = record.get("iou_per_class", {}).items()
    return Validation(
        step=int(record["step"]),
        miou=float(record["miou"]),
        pixel_accuracy=_number(record.get("pixel_accuracy")),
        mean_accuracy=_number(record.get("mean_accuracy")),
        iou_per_class={name: _number(value) for name, value in classes},
    )


def _read_per_class(path: Path, problems: list[str]) -> dict[str, dict[str, float | None]]:
    if not path.exists():
        return {}
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
        columns = ("iou", "accuracy", "dice")
        return {row["class"]: {c: _number(row.get(c)) for c in columns} for row in rows}
    except (ValueError, KeyError, csv.Error):
        problems.append(f"{path}: not a table of classes")
        return {}


def _read_progress(path: Path, problems: list[str]) -> Progress | None:
    if not path.exists():
        return None
    try:
        return read_about(path)[0]
    except TrainingError as error:
        problems.append(str(error))
        return None


def _number(value: Any) -> float | None:
    return None if value is None or value == "" else float(value)


def label_runs(runs: Sequence[RunHistory]) -> list[str]:
    """Name runs by their folder, or by their path where two folders have the same name."""
    names = [run.name for run in runs]
    return [
        str(run.path) if names.count(name) > 1 else name
        for run, name in zip(runs, names, strict=True)
    ]


def draw_comparison(runs: Sequence[RunHistory]) -> bytes:
    """Draw validation mIoU over steps and over time, and the smoothed loss, of several runs.

    Args:
        runs: One colour and line of the legend each, in this order.

    Returns:
        A PNG file.
    """
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    by_step, by_time, loss = figure.subplots(1, 3)
    unit, seconds = _time_unit(max(run.elapsed_s for run in runs))
    lines = []
    for index, run in enumerate(runs):
        color = _COLORS[index % len(_COLORS)]
        style = _STYLES[index // len(_COLORS) % len(_STYLES)]
        look = {"color": color, "linestyle": style, "linewidth": 1.5}
        dots = {**look, "marker": "o", "markersize": 4}
        scores = [100 * validation.miou for validation in run.validations]
        steps = [validation.step for validation in run.validations]
        lines += by_step.plot(steps, scores, **dots)
        times = [run.elapsed_at(step) for step in steps]
        if None not in times:  # the log of an older version tells no times
            by_time.plot([time / seconds for time in times if time is not None], scores, **dots)
        losses = [(line.step, line.loss) for line in run.steps if line.loss is not None]
        if losses:
            logged, values = (np.array(column) for column in zip(*losses, strict=True))
            loss.plot(logged, values, color=color, linewidth=0.6, alpha=0.25)
            loss.plot(logged, _smooth(values, max(1, len(values) // LOSS_WINDOWS)), **look)
    by_step.set(title="validation mIoU [%]", xlabel="step", ylim=(0, 100))
    by_time.set(title="validation mIoU [%]", xlabel=f"training time [{unit}]", ylim=(0, 100))
    loss.set(title="training loss, smoothed", xlabel="step", yscale="log")
    for axes in (by_step, by_time, loss):
        axes.grid(alpha=0.3)
        axes.set_xlim(left=0)
    figure.legend(lines, label_runs(runs), loc="outside lower center", ncols=min(4, len(runs)))
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=110)
    return drawn.getvalue()


def _time_unit(longest_s: float) -> tuple[str, float]:
    if longest_s >= 2 * 3600:
        return "h", 3600.0
    return ("min", 60.0) if longest_s >= 120 else ("s", 1.0)


def _smooth(values: Series, window: int) -> Series:
    """Return the mean of the last `window` values, of fewer at the start."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    return np.asarray((sums[ends] - sums[starts]) / (ends - starts))
