"""Train a list of systems by one recipe, and put what was found on one page."""

import json
from collections.abc import Callable
from pathlib import Path

from segnext.compare.classifying import ClassificationTrainer
from segnext.compare.config import CompareConfig
from segnext.compare.measuring import measure_systems, read_machine
from segnext.compare.page import build_page
from segnext.compare.result import CompareResult, summarize
from segnext.compare.running import Trainer, find_runs, run_systems
from segnext.compare.segmenting import SegmentationTrainer
from segnext.errors import UsageError
from segnext.storage import write_atomically

PAGE, NUMBERS, TABLE = "comparison.html", "comparison.json", "comparison.csv"


def compare(
    config: CompareConfig,
    out: str | Path,
    *,
    train: bool = True,
    quiet: bool = False,
    command: str = "",
    on_run: Callable[[str, int, bool], None] = lambda _system, _seed, _kept: None,
    on_measure: Callable[[int, int], None] = lambda _done, _total: None,
) -> CompareResult:
    """Train what is not trained yet, measure all, and write the page.

    Args:
        config: From `read_compare_config`.
        out: Folder for `comparison.html`, `.json` and `.csv`, and the runs; an interrupted
            comparison in it goes on.
        train: Or only put on the page what is there.
        quiet: Print nothing of each training.
        command: That makes it again, for the page.
        on_run: Told the system, the seed, and whether its run is kept from before.
        on_measure: Called with steps done and in all.

    Raises:
        UsageError: No data are given.
        TrainingError: A kept run was trained with other options.
        SegnextError: Whatever training or measuring raises.
    """
    out = Path(out)
    trainer: Trainer = (
        ClassificationTrainer(quiet) if config.task == "classify" else SegmentationTrainer(quiet)
    )
    if train and config.trained and config.data is None:
        msg = "no data given to train on: segnext compare CONFIG --data DIR, or data: in the file"
        raise UsageError(msg)
    runs = run_systems(config, out, trainer, on_run=on_run) if train else find_runs(config, out)
    measured = (
        measure_systems(config, out, runs, on_step=on_measure) if config.measure and runs else {}
    )
    result = summarize(config, runs, measured, read_machine(out) if measured else "")
    numbers = json.dumps(result.to_dict(), indent=1) + "\n"
    write_atomically(out / NUMBERS, numbers.encode())
    write_atomically(out / TABLE, result.to_csv().encode())
    write_atomically(out / PAGE, build_page(result, command).encode())
    return result
