"""Cross-validation: one run per fold, their scores together, and an ensemble of their models."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from segnext.errors import TrainingError
from segnext.inference import choose_device
from segnext.storage import write_atomically
from segnext.training.config import build_config
from segnext.training.display import Display
from segnext.training.processes import Processes
from segnext.training.run import TrainRun, train
from segnext.training.run_files import CHECKPOINT, next_run_folder
from segnext.weights import read_spec

SUMMARY = "folds.json"


@dataclass(frozen=True)
class CrossValidation:
    """What a cross-validation left.

    Attributes:
        directory: Holds `fold_0`, `fold_1`, ... and `folds.json`. Given as weights to `segnext
            evaluate` or `Predictor`, it means the ensemble of all folds' best.
        runs: One per fold.
    """

    directory: Path
    runs: tuple[TrainRun, ...]

    @property
    def miou(self) -> float:
        """Mean over folds of the best val mIoU, 0-1."""
        return mean(run.metrics.miou for run in self.runs)

    @property
    def miou_std(self) -> float:
        """Standard deviation over folds of the best val mIoU."""
        return stdev(run.metrics.miou for run in self.runs)


def cross_validate(
    data: str | Path | None = None,
    *,
    folds: int,
    out: str | Path | None = None,
    quiet: bool = False,
    **options: Any,
) -> CrossValidation:
    """Train once per fold; what was done already is kept, and an interrupted fold goes on.

    Train and val are joined and cut into parts by group; each run has another part as val. Test
    stays apart. Every fold has the whole budget.

    Args:
        data: Folder or data.yaml.
        folds: Number of parts, 2 or more.
        out: Folder to make; by default the next free one under `runs/`.
        quiet: Print nothing.
        **options: As for `train`.

    Raises:
        DataError: There are fewer groups than folds.
        TrainingError: `out` holds a cross-validation into another number of folds.
        SegnextError: As `train`.
    """
    values = options | ({"data": Path(data)} if data is not None else {})
    config = build_config(values | {"folds": folds})
    name = f"{config.data.resolve().stem}-{config.model}-folds"
    processes = Processes(cpu=choose_device(config.device).type == "cpu")
    directory = processes.once(
        lambda: Path(out) if out is not None else next_run_folder(Path("runs"), name)
    )
    present = sorted(path.name for path in directory.glob("fold_*"))
    if any(int(name.removeprefix("fold_")) >= folds for name in present):
        msg = (
            f"{directory}: holds {present[-1]}, so it was cut into more than {folds}; choose --out"
        )
        raise TrainingError(msg)
    runs: list[TrainRun] = []
    for fold in range(folds):
        place = directory / f"fold_{fold}"
        if (place / CHECKPOINT).exists():
            runs.append(train(resume=place, quiet=quiet))
        else:
            # An ensemble is fed one picture: the first fold's statistics hold for all.
            shared = _read_pixels(runs[0]) if runs else {}
            told = {**shared, **values, "folds": folds, "fold": fold}
            runs.append(train(out=place, quiet=quiet, **told))
    result = CrossValidation(directory, tuple(runs))
    if processes.is_main:
        summary = json.dumps(_summarize(result), indent=1) + "\n"
        write_atomically(directory / SUMMARY, summary.encode())
    Display(quiet=quiet or not processes.is_main).say(
        f"val mIoU over {folds} folds: {result.miou:.1%} +- {result.miou_std:.1%}; "
        f"segnext evaluate {directory} DIR --split test scores their ensemble"
    )
    return result


def _read_pixels(run: TrainRun) -> dict[str, Any]:
    pixels = asdict(read_spec(run.best).normalization)
    return {name: value for name, value in pixels.items() if value is not None}


def _summarize(result: CrossValidation) -> dict[str, Any]:
    return {
        "miou": result.miou,
        "miou_std": result.miou_std,
        "folds": [
            {
                "best": str(run.best.relative_to(result.directory)),
                "miou": run.metrics.miou,
                "iou_per_class": [
                    None if math.isnan(value) else value
                    for value in run.metrics.iou_per_class.tolist()
                ],
            }
            for run in result.runs
        ],
    }
