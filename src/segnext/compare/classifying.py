"""How the systems of a `classify` comparison are trained and scored."""

from dataclasses import dataclass
from pathlib import Path

from segnext.classification import train
from segnext.classification.run_folder import ClassifyFolder
from segnext.classification.trainer import ClassifyProgress
from segnext.compare.config import CompareConfig, System
from segnext.compare.running import SystemRun, tell, train_or_resume
from segnext.training.checkpoint import read_stand
from segnext.training.run_files import CHECKPOINT


@dataclass(frozen=True)
class ClassificationTrainer:
    """Trains encoders on photos with a label each.

    Attributes:
        quiet: Print nothing of each training.
    """

    quiet: bool = True

    def train(self, folder: Path, config: CompareConfig, system: System, seed: int) -> SystemRun:
        """Train a system, or go on with what lies in its folder; its scores are those on val.

        Raises:
            SegnextError: Whatever training raises.
        """
        run = train_or_resume(train, folder, config, system, seed, quiet=self.quiet)
        validations = [line for line in ClassifyFolder(folder).read_log() if line["kind"] == "val"]
        progress, _ = read_stand(folder / CHECKPOINT, ClassifyProgress)
        top5 = {} if run.top5 is None else {"top5": 100 * run.top5}
        return SystemRun(
            system=system.name,
            seed=seed,
            weights=str(run.best.relative_to(folder.parents[2])),
            scores={"top1": 100 * run.top1, **top5},
            curve=[(line["step"], 100 * line["top1"]) for line in validations],
            steps=run.steps,
            seconds=progress.elapsed_s,
            told=tell(system, config),
        )
