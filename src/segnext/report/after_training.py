"""The report at the end of a training: of its best weights, on what it validated on."""

import os
from pathlib import Path
from typing import Any

from segnext.errors import SegnextError
from segnext.report.figures import Report
from segnext.report.reporting import PAGE, make_report
from segnext.training import Plan, TrainRun
from segnext.training import train as run_training
from segnext.training.arguments import read_config
from segnext.training.config import build_config
from segnext.training.cross_validation import CrossValidation
from segnext.training.cross_validation import cross_validate as run_folds
from segnext.training.display import Display
from segnext.training.planning import open_training_data
from segnext.training.run_files import RunFiles

FOLDER = "report"


def train(
    data: str | Path | None = None,
    *,
    plan: Plan | None = None,
    resume: str | Path | None = None,
    out: str | Path | None = None,
    dry_run: bool = False,
    report: bool = True,
    quiet: bool = False,
    **options: Any,
) -> TrainRun:
    """Train a model on a folder of photos and masks, and explain its score.

    Started in several processes by `torchrun` or `accelerate launch`, it trains one model in all
    of them; loss, metrics and samples are those of one process.

    Args:
        data: Folder or data.yaml; see `segnext.data.open_folder` for the layouts understood.
        plan: From `segnext.plan`; its data and options hold where nothing else is given.
        resume: Folder of a run to go on with; its own configuration is used, and little else may
            be given; see `segnext.training.train`.
        out: Run folder to make; by default the next free one under `runs/`.
        dry_run: Open, check, plan and do one step and one validated picture, then leave without
            writing anything.
        report: At the end, write a page about the best weights' score on the validation split to
            `report` in the run folder. A report that fails does not fail the training.
        quiet: Print nothing.
        **options: Fields of `TrainConfig`, such as `model`, `budget="30m"` or `max_steps`.

    Raises:
        UsageError: An option is unknown or out of range.
        DataError: The data cannot be used; says what, where and what to do.
        WeightsError: Weights to start from cannot be read.
        TrainingError: The run cannot start or go on.
        StoppedError: The run was interrupted and saved.
    """
    run = run_training(
        data, plan=plan, resume=resume, out=out, dry_run=dry_run, quiet=quiet, **options
    )
    if report and not dry_run:
        _explain(run, quiet=quiet)
    return run


def cross_validate(
    data: str | Path | None = None, *, report: bool = True, quiet: bool = False, **options: Any
) -> CrossValidation:
    """Train once per fold as `segnext.training.cross_validation` does, and explain every score.

    Args:
        data: Folder or data.yaml.
        report: At the end, write a page about each fold's score to `report` in its run folder.
        quiet: Print nothing.
        **options: `folds`, `out` and those of a training.

    Raises:
        SegnextError: As there.
    """
    result = run_folds(data, quiet=quiet, **options)
    if report:
        for run in result.runs:
            _explain(run, quiet=quiet)
    return result


def _explain(run: TrainRun, *, quiet: bool) -> None:
    if _is_main_process() and not _is_explained(run):
        Display(quiet=quiet).say(_try_report(run))


def _is_main_process() -> bool:
    """Tell whether this process speaks for all, where `torchrun` started several."""
    return os.environ.get("RANK", "0") == "0"


def _is_explained(run: TrainRun) -> bool:
    """Tell whether a finished run, gone on with once more, has its report already."""
    page = run.directory / FOLDER / PAGE
    if not (page.exists() and run.best.exists()):
        return False
    return page.stat().st_mtime >= run.best.stat().st_mtime


def _try_report(run: TrainRun) -> str:
    """Write a report if it can be written, and say in a line what became of it.

    A finished training has succeeded, whatever becomes of its report.
    """
    try:
        report_run(run)
    except SegnextError as error:
        return f"no report: {error}"
    return f"report {run.directory / FOLDER / PAGE}"


def report_run(run: TrainRun) -> Report:
    """Write a report into `report` in the folder of a run.

    Args:
        run: Finished.

    Raises:
        SegnextError: The data or the weights are gone, or the folder cannot be written.
    """
    config = build_config(read_config(RunFiles(run.directory).config))
    data = open_training_data(config)
    return make_report(run.best, data, run.directory / FOLDER, device=config.device)
