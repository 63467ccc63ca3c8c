"""How the systems of a `segment` comparison are trained and scored."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from segnext.compare.config import CompareConfig, System
from segnext.compare.running import SystemRun, tell, train_or_resume
from segnext.report import Report, make_report
from segnext.report.after_training import FOLDER
from segnext.report.reporting import PAGE
from segnext.training import train
from segnext.training.checkpoint import read_about
from segnext.training.run_files import CHECKPOINT
from segnext.training.run_folder import RunFolder


@dataclass(frozen=True)
class SegmentationTrainer:
    """Trains models on photos and masks.

    Attributes:
        quiet: Print nothing of each training.
    """

    quiet: bool = True

    def train(self, folder: Path, config: CompareConfig, system: System, seed: int) -> SystemRun:
        """Train a system, or go on with what lies in its folder, and explain the result's score.

        Raises:
            SegnextError: Whatever training and the report raise.
        """
        run = train_or_resume(train, folder, config, system, seed, quiet=self.quiet)
        assert config.data is not None
        report = make_report(
            run.best, config.data, folder / FOLDER, name=system.name, split=config.split
        )
        validations = [line for line in RunFolder(folder).read_log() if line["kind"] == "val"]
        progress, _ = read_about(folder / CHECKPOINT)
        return SystemRun(
            system=system.name,
            seed=seed,
            weights=str(run.best.relative_to(folder.parents[2])),
            scores={name: 100 * score for name, score in _scores(report) if score is not None},
            curve=[(line["step"], 100 * line["miou"]) for line in validations],
            steps=run.steps,
            seconds=progress.elapsed_s,
            told=tell(system, config),
            report=str((folder / FOLDER / PAGE).relative_to(folder.parents[2])),
        )


def _scores(report: Report) -> Iterator[tuple[str, float | None]]:
    yield "miou", report.miou
    yield "pixel_accuracy", report.pixel_accuracy
    for one in report.classes:
        yield f"iou {one.name}", one.iou
