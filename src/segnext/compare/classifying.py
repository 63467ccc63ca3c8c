"""How the systems of a `classify` comparison are trained and scored."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segnext.classification import train
from segnext.classification.run_folder import ClassifyFolder
from segnext.classification.trainer import ClassifyProgress
from segnext.compare.config import CompareConfig, System
from segnext.compare.running import SystemRun, tell
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
        assert system.model is not None
        if (folder / CHECKPOINT).exists():
            run = train(resume=folder, quiet=self.quiet)
        else:
            given: dict[str, Any] = {**config.options, **system.options}
            options = {**given.pop("model_options", {}), **system.model_options}
            run = train(
                config.data,
                out=folder,
                quiet=self.quiet,
                model=system.model,
                model_options=options,
                seed=seed,
                **given,
            )
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
