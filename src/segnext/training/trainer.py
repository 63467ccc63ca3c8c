"""The training loop."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from segnext.data import FolderDataset
from segnext.data.statistics import spread_sample
from segnext.errors import DataError, TrainingError
from segnext.inference import score_images
from segnext.metrics import Metrics, compute_metrics
from segnext.models import SegmentationModel
from segnext.spec import ModelSpec
from segnext.training.average import average_weights
from segnext.training.checkpoint import Progress
from segnext.training.display import Display
from segnext.training.learner import Batch, Learner
from segnext.training.loop import Clock, Loop
from segnext.training.run_folder import RunFolder
from segnext.training.samples import draw_samples
from segnext.training.sharding import gather_model
from segnext.training.tracking import Trackers
from segnext.weights import load_model, save_model


class Trainer(Loop):
    """One run of `segnext train`.

    Args:
        learner: Model, average and optimizer.
        val: The validation split.
        folder: Where everything is written.
        display: What the user sees.

    Attributes:
        progress: Where the run stands.
        best_metrics: Of the best validation in this process; `None` before the first.
    """

    def __init__(
        self, learner: Learner, *, val: FolderDataset, folder: RunFolder, display: Display
    ) -> None:
        self.progress = Progress()
        super().__init__(learner, files=folder, display=display, progress=self.progress)
        self.learner = learner
        self.recipe = learner.recipe
        self.spec = learner.spec
        self.val = val
        self.folder = folder
        self.best_metrics: Metrics | None = None

    def restore(self, progress: Progress) -> None:
        """Continue from the folder's checkpoint, which stands at `progress`."""
        super().restore(progress)
        self.progress = progress

    def fit(self) -> None:
        """Train to the last step; see `Loop.fit`. At the end, try the mean of the best weights."""
        super().fit()
        if self.recipe.average_best:
            self._try_average()

    def _step(self, batch: Batch, clock: Clock, trackers: Trackers) -> None:
        problems = self.processes.join(batch.problems)
        if problems:
            self._account_for(problems)
        super()._step(batch, clock, trackers)

    def _account_for(self, problems: Sequence[str]) -> None:
        """Tell and log what could not be read and is skipped, or stop.

        Raises:
            DataError: Names the first file; the steps before are saved.
        """
        step, count = self.progress.step, len(problems)
        if self.recipe.on_bad_sample == "stop":
            if step > self._saved_step:
                self._save()
            more = f" (and {count - 1} more of this batch)" if count > 1 else ""
            msg = (
                f"step {step}: {problems[0]}{more}; all steps before are saved: put the file right "
                f"and go on with --resume {self.folder.path}; with --set on_bad_sample=skip as "
                f"well, other pictures stand for those that cannot be read"
            )
            raise DataError(msg)
        self.progress.skipped_samples += count
        if self.processes.is_main:
            self.folder.append({"kind": "skipped", "step": step, "samples": list(problems)})
        for problem in problems:
            self.display.say(f"step {step}: skipped, {problem}")

    def _latest_score(self) -> str:
        miou = self.progress.last_miou
        return f"mIoU {miou:.1%}" if miou >= 0 else "mIoU -"

    def _validate(self, trackers: Trackers) -> None:
        progress, classes = self.progress, self.spec.classes
        average = gather_model(self.learner.average)
        metrics = self._score(average)
        train_miou = self._score_training(average)
        if train_miou is not None:
            self._watch_gap(train_miou, metrics.miou)
        best = metrics.miou >= progress.best_miou
        progress.last_miou = metrics.miou
        progress.stale = 0 if best else progress.stale + 1
        if best:
            progress.best_miou, progress.best_step = metrics.miou, progress.step
            self.best_metrics = metrics
        kept = sorted([*progress.kept, [metrics.miou, progress.step]], reverse=True)
        progress.kept = kept[: self.recipe.keep_best]
        if not self.processes.is_main:
            return
        record = {
            "kind": "val",
            "step": progress.step,
            "miou": metrics.miou,
            "pixel_accuracy": metrics.pixel_accuracy,
            "mean_accuracy": metrics.mean_accuracy,
            "iou_per_class": {
                name: None if math.isnan(value) else value
                for name, value in zip(
                    classes.label_names, metrics.iou_per_class.tolist(), strict=True
                )
            },
        }
        if train_miou is not None:
            record["train_miou"] = train_miou
        self.folder.append(record)
        trackers.log(record)
        if best:
            self.folder.write_per_class(classes.label_names, metrics)
        self._save_weights(average, metrics, best=best)
        self.folder.draw_curves()
        draw_samples(
            average,
            self.spec,
            self.val,
            self.folder.samples / f"step_{progress.step:06}.png",
        )
        scores = f"val mIoU {metrics.miou:.1%}  pixel accuracy {metrics.pixel_accuracy:.1%}"
        self.display.show_validation(progress.step, scores, best=best)

    def _score(self, model: SegmentationModel) -> Metrics:
        """Score the whole validation split."""
        metrics = self._score_pictures(model, self.val, range(len(self.val)))
        if not metrics.pixels:
            msg = "the val split has no labelled pixel to measure anything on"
            raise TrainingError(msg)
        return metrics

    def _score_training(self, model: SegmentationModel) -> float | None:
        """Return the mIoU on as many training pictures as val has, if overfitting is watched."""
        recipe, train = self.recipe, self.learner.train
        if recipe.on_overfit == "ignore":
            return None
        spread = spread_sample(len(train), len(self.val))
        return self._score_pictures(model, train, spread).miou

    def _score_pictures(
        self, model: SegmentationModel, data: FolderDataset, indices: Sequence[int]
    ) -> Metrics:
        """Score pictures of a split, each process its share of them."""
        share = [indices[place] for place in self.processes.share(len(indices))]

        def tell(index: int, seconds: float) -> None:
            self.display.say_own(
                f"step {self.progress.step}: validation has waited for {data.path(index)} for "
                f"{seconds:.3g} s; the storage or the network may be slow"
            )

        matrix = score_images(
            model,
            self.spec,
            data,
            indices=share,
            slow=self.recipe.worker_slow,
            on_slow=tell,
        )
        counts = torch.from_numpy(matrix.counts).to(self.learner.device)
        return compute_metrics(self.processes.sum(counts).cpu().numpy())

    def _watch_gap(self, train_miou: float, miou: float) -> None:
        recipe = self.recipe
        if train_miou - miou <= recipe.overfit_gap:
            return
        stops = recipe.on_overfit == "stop"
        self._ends_early = stops
        self.display.say(
            f"step {self.progress.step}: overfitting, mIoU {train_miou:.1%} on training pictures "
            f"against {miou:.1%} on val, more than overfit_gap {recipe.overfit_gap:.0%} apart; "
            + ("the run ends here" if stops else "more data, more augmentation or fewer steps help")
        )

    def _save_weights(self, average: SegmentationModel, metrics: Metrics, *, best: bool) -> None:
        spec = self._scored(metrics)
        save_model(average, self.folder.last, spec)
        if best:
            save_model(average, self.folder.best, spec)
        if self.recipe.keep_best > 1:
            self._keep_weights(average, spec.score)

    def _keep_weights(self, average: SegmentationModel, score: dict[str, object]) -> None:
        step = self.progress.step
        steps = [int(entry[1]) for entry in self.progress.kept]
        if step in steps:
            spec = replace(self.spec, score=score)
            save_model(average, self.folder.kept(step), spec)
        wanted = {self.folder.kept(kept) for kept in steps}
        for path in self.folder.all_kept():
            if path not in wanted:
                path.unlink()

    def _try_average(self) -> None:
        """Replace the best weights by the mean of the kept ones, if that scores higher."""
        progress = self.progress
        # Asked of the main process, which answers once it has written the last of them.
        paths = self.processes.once(
            lambda: [self.folder.kept(int(step)) for _, step in progress.kept]
        )
        device = self.learner.device
        model = average_weights([load_model(path) for path in paths]).to(device).eval()
        metrics = self._score(model)
        better = metrics.miou > progress.best_miou
        if self.processes.is_main and better:
            save_model(model, self.folder.best, self._scored(metrics))
            self.folder.write_per_class(self.spec.classes.label_names, metrics)
        if better:
            self.best_metrics, progress.best_miou = metrics, metrics.miou
        self.display.say(
            f"mean of the {len(paths)} best weights: val mIoU {metrics.miou:.1%}, "
            f"{'kept as best' if better else 'not better, left out'}"
        )

    def _scored(self, metrics: Metrics) -> ModelSpec:
        score = {
            "miou": metrics.miou,
            "pixel_accuracy": metrics.pixel_accuracy,
            "split": "val",
            "images": len(self.val),
            "protocol": self.spec.protocol.describe(),
            "step": self.progress.step,
        }
        return replace(self.spec, score=score)
