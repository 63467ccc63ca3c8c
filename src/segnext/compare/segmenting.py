"""How the systems of a `segment` comparison are trained and scored."""

from dataclasses import dataclass
from pathlib import Path

from segnext.compare.config import CompareConfig, System
from segnext.compare.running import SystemRun, tell, train_or_resume
from segnext.evaluation import evaluate
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
        """Train a system, or go on with what lies in its folder, and score the result.

        Raises:
            SegnextError: Whatever training and evaluation raise.
        """
        run = train_or_resume(train, folder, config, system, seed, quiet=self.quiet)
        result = evaluate(run.best, _data(config), split=config.split)
        validations = [line for line in RunFolder(folder).read_log() if line["kind"] == "val"]
        progress, _ = read_about(folder / CHECKPOINT)
        return SystemRun(
            system=system.name,
            seed=seed,
            weights=str(run.best.relative_to(folder.parents[2])),
            scores={
                "miou": 100 * result.metrics.miou,
                "pixel_accuracy": 100 * result.metrics.pixel_accuracy,
                **{
                    f"iou {name}": 100 * float(value)
                    for name, value in zip(
                        result.spec.classes.label_names,
                        result.metrics.iou_per_class.tolist(),
                        strict=True,
                    )
                    if value == value
                },
            },
            curve=[(line["step"], 100 * line["miou"]) for line in validations],
            steps=run.steps,
            seconds=progress.elapsed_s,
            told=tell(system, config),
        )


def _data(config: CompareConfig) -> Path:
    assert config.data is not None
    return config.data
