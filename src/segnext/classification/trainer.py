"""The course of a classification run: what a validation is."""

from dataclasses import dataclass, replace

from segnext.classification.files import ClassifierSpec, save_classifier
from segnext.classification.learner import ClassifierLearner
from segnext.classification.photos import ViewedPhotos
from segnext.classification.run_folder import ClassifyFolder
from segnext.classification.scoring import ClassScores, score_photos
from segnext.data.datasets.imagenet import ImageSplit
from segnext.training.checkpoint import RunProgress
from segnext.training.display import Display
from segnext.training.loop import Loop
from segnext.training.tracking import Trackers


@dataclass
class ClassifyProgress(RunProgress):
    """Where a run of `segnext classify train` stands.

    Attributes:
        best_top1: Best validation top-1 so far, 0-1; -1 before the first validation.
        last_top1: Of the latest validation; -1 before the first.
    """

    best_top1: float = -1.0
    last_top1: float = -1.0


class ClassifierTrainer(Loop):
    """One run of `segnext classify train`.

    Args:
        learner: Model, average and optimizer.
        val: The validation split.
        folder: Where everything is written.
        display: What the user sees.

    Attributes:
        progress: Where the run stands.
        best_scores: Of the best validation in this process; `None` before the first.
    """

    command = "segnext classify train"

    def __init__(
        self,
        learner: ClassifierLearner,
        *,
        val: ImageSplit,
        folder: ClassifyFolder,
        display: Display,
    ) -> None:
        self.progress = ClassifyProgress()
        super().__init__(learner, files=folder, display=display, progress=self.progress)
        self.learner = learner
        self.recipe = learner.recipe
        self.folder = folder
        self.val = val
        self.best_scores: ClassScores | None = None

    def restore(self, progress: ClassifyProgress) -> None:
        """Continue from the folder's checkpoint, which stands at `progress`."""
        super().restore(progress)
        self.progress = progress

    def _latest_score(self) -> str:
        top1 = self.progress.last_top1
        return f"top-1 {top1:.1%}" if top1 >= 0 else "top-1 -"

    def _validate(self, trackers: Trackers) -> None:
        progress = self.progress
        scores = score_split(self.learner, self.val)
        best = scores.top1 >= progress.best_top1
        progress.last_top1 = scores.top1
        progress.stale = 0 if best else progress.stale + 1
        if best:
            progress.best_top1, progress.best_step = scores.top1, progress.step
            self.best_scores = scores
        if not self.processes.is_main:
            return
        record = {
            "kind": "val",
            "step": progress.step,
            "loss": scores.loss,
            "top1": scores.top1,
            "top5": scores.top5,
        }
        self.folder.append(record)
        trackers.log(record)
        spec = self._scored(scores)
        save_classifier(self.learner.average, self.folder.last, spec)
        if best:
            save_classifier(self.learner.average, self.folder.best, spec)
        self.folder.draw_curves()
        self.display.show_validation(progress.step, f"val {scores.describe()}", best=best)

    def _scored(self, scores: ClassScores) -> ClassifierSpec:
        spec = self.learner.spec
        score = {
            "top1": scores.top1,
            "top5": scores.top5,
            "split": "val",
            "images": scores.photos,
            "view": spec.view.describe(),
            "step": self.progress.step,
        }
        return replace(spec, score=score)


def score_split(learner: ClassifierLearner, photos: ImageSplit) -> ClassScores:
    """Score a split with a run's average, each process its share of the photos."""
    processes, spec = learner.processes, learner.spec
    share = processes.share(len(photos))
    viewed = ViewedPhotos(photos, spec.view, spec.normalization, share)
    return score_photos(
        learner.average, viewed, processes=processes, num_workers=learner.recipe.num_workers
    )
