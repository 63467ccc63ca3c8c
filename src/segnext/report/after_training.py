"""The report at the end of a training: of its best weights, on what it validated on."""

import os

from segnext.errors import SegnextError
from segnext.report.figures import Report
from segnext.report.reporting import PAGE, make_report
from segnext.training import TrainRun
from segnext.training.arguments import read_config
from segnext.training.config import build_config
from segnext.training.planning import open_training_data
from segnext.training.run_files import RunFiles

FOLDER = "report"


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


def is_main_process() -> bool:
    """Tell whether this process speaks for all, where `torchrun` started several."""
    return os.environ.get("RANK", "0") == "0"


def try_report(run: TrainRun) -> str:
    """Write a report if it can be written, and say in a line what became of it.

    A finished training has succeeded, whatever becomes of its report.
    """
    try:
        report_run(run)
    except SegnextError as error:
        return f"no report: {error}"
    return f"report {run.directory / FOLDER / PAGE}"
