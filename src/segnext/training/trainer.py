"""The training loop."""

import json
import math
import time
from dataclasses import replace

import torch

from segnext.data import FolderDataset
from segnext.errors import TrainingError
from segnext.inference import score_images
from segnext.metrics import Metrics, compute_metrics
from segnext.models import SegmentationModel
from segnext.spec import ModelSpec
from segnext.storage import write_atomically
from segnext.training.average import average_weights
from segnext.training.checkpoint import Progress, restore_checkpoint, write_checkpoint
from segnext.training.display import Display
from segnext.training.learner import Batch, Learner, StepResult
from segnext.training.run_folder import RunFolder
from segnext.training.samples import draw_samples
from segnext.training.sharding import gather_model
from segnext.training.stopping import EXIT_CODES, StoppedError, listen_for_stop
from segnext.training.tracking import Trackers
from segnext.weights import load_model, save_model


class Trainer:
    """One run, from its first step or from a checkpoint, in one process or many.

    Every process does every step; only the main one writes and speaks. All decisions (a better
    validation, a stop, a checkpoint) follow from numbers that all of them share.

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
        self.learner = learner
        self.recipe = learner.recipe
        self.spec = learner.spec
        self.processes = learner.processes
        self.val = val
        self.folder = folder
        self.display = display
        self.progress = Progress()
        self.best_metrics: Metrics | None = None
        self._saved_step = -1
        self._saved_at = time.monotonic()

    def restore(self, progress: Progress) -> None:
        """Continue from the folder's checkpoint, which stands at `progress`."""
        learner = self.learner
        restore_checkpoint(
            self.folder.checkpoint,
            model=learner.model,
            average=learner.average,
            optimizer=learner.optimizer,
            scaler=learner.scaler,
        )
        if self.processes.is_main:
            self.folder.remove_fragments()
            self.folder.cut_log(progress.log_bytes)
        self.progress = progress
        self._saved_step = progress.step

    def fit(self) -> None:
        """Train to the last step, validating, saving and drawing on the way.

        Raises:
            TrainingError: Loss or gradients are not finite.
            StoppedError: SIGINT or SIGTERM asked to stop; the run can be resumed.
        """
        if not self.progress.finished:
            self._take_steps()
        if self.recipe.average_best:
            self._try_average()

    def _take_steps(self) -> None:
        recipe, progress = self.recipe, self.progress
        clock = _Clock()
        trackers = Trackers(
            recipe.trackers if self.processes.is_main else (),
            self.folder.path,
            recipe.model_dump(mode="json"),
        )
        try:
            with self.display.running(recipe.max_steps), listen_for_stop() as stop:
                for batch in self.learner.batches(progress.step):
                    self._step(batch, clock, trackers)
                    if progress.finished:
                        break
                    self._stop_or_save(stop.number)
        finally:
            trackers.close()

    def _step(self, batch: Batch, clock: "_Clock", trackers: Trackers) -> None:
        recipe, progress = self.recipe, self.progress
        result = self.learner.learn(progress.step, batch)
        if not result.finite:
            raise TrainingError(self._explain_divergence(result))
        seconds = clock.lap()
        progress.unlogged.append([result.loss, result.gradient_norm, seconds])
        progress.step += 1
        progress.elapsed_s += seconds
        last = progress.step == recipe.max_steps
        if progress.step % recipe.log_every == 0 or last:
            self._log(trackers)
        if progress.step % recipe.validate_every == 0 or last:
            self._validate(trackers)
            progress.finished = last or (recipe.patience and progress.stale >= recipe.patience) > 0
            progress.elapsed_s += clock.lap()
            self._save()

    def _stop_or_save(self, signal_number: int) -> None:
        """Stop if any process was asked to; else save if the last checkpoint is old."""
        due = time.monotonic() - self._saved_at >= self.recipe.checkpoint_every
        asked = torch.tensor([signal_number == number for number in EXIT_CODES] + [due])
        agreed = self.processes.sum(asked.to(self.learner.device, torch.int32)).tolist()
        *stops, save = agreed
        if not any(agreed):
            return
        if save or self._saved_step != self.progress.step:
            self._save()
        # Once one process has left, torchrun gives the others 30 s: the main one saves first.
        self.processes.once(lambda: None)
        for code, wanted in zip(EXIT_CODES.values(), stops, strict=True):
            if wanted:
                raise StoppedError(self._stopped(), code)

    def _log(self, trackers: Trackers) -> None:
        progress = self.progress
        count = len(progress.unlogged)
        losses, norms, seconds = zip(*progress.unlogged, strict=True)
        progress.unlogged = []
        loss, norm = sum(losses) / count, sum(norms) / count
        images_per_s = count * self.recipe.batch_size / sum(seconds)
        lr = self.learner.learning_rate
        record = {
            "kind": "train",
            "step": progress.step,
            "loss": loss,
            "lr": lr,
            "gradient_norm": norm,
            "images_per_s": round(images_per_s, 3),
            "elapsed_s": round(progress.elapsed_s, 2),
        }
        if self.processes.is_main:
            self.folder.append(record)
            trackers.log(record)
        remaining = self.recipe.max_steps - progress.step
        self.display.show_step(
            progress.step,
            loss=loss,
            lr=lr,
            images_per_s=images_per_s,
            eta_s=remaining * progress.elapsed_s / progress.step,
            miou=progress.last_miou,
        )

    def _validate(self, trackers: Trackers) -> None:
        progress, classes = self.progress, self.spec.classes
        average = gather_model(self.learner.average)
        metrics = self._score(average)
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
        self.display.show_validation(progress.step, metrics, best=best)

    def _score(self, model: SegmentationModel) -> Metrics:
        """Score the whole split, each process its share of the pictures."""
        share = self.processes.share(len(self.val))
        matrix = score_images(model, self.spec, self.val, indices=share)
        counts = torch.from_numpy(matrix.counts).to(self.learner.device)
        metrics = compute_metrics(self.processes.sum(counts).cpu().numpy())
        if not metrics.pixels:
            msg = "the val split has no labelled pixel to measure anything on"
            raise TrainingError(msg)
        return metrics

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

    def _save(self) -> None:
        self._saved_step, self._saved_at = self.progress.step, time.monotonic()
        learner = self.learner
        self.progress.log_bytes = self.folder.log_length()
        write_checkpoint(
            self.folder.checkpoint,
            model=learner.model,
            average=learner.average,
            optimizer=learner.optimizer,
            scaler=learner.scaler,
            progress=self.progress,
            recipe=self.recipe.model_dump(mode="json"),
            is_main=self.processes.is_main,
        )

    def _stopped(self) -> str:
        return (
            f"stopped at step {self.progress.step} of {self.recipe.max_steps}, everything is "
            f"saved; go on with segnext train --resume {self.folder.path}"
        )

    def _explain_divergence(self, result: StepResult) -> str:
        """Name the step, the pictures it saw, and the last checkpoint, which is good."""
        step = self.progress.step
        names = self.learner.picture_names(step)
        if self.processes.is_main:
            about = {"step": step, "loss": str(result.loss), "pictures": names}
            write_atomically(self.folder.divergence, json.dumps(about, indent=1).encode())
        what = "loss" if not math.isfinite(result.loss) else "norm of the gradients"
        value = result.loss if what == "loss" else result.gradient_norm
        saved = (
            f"the last good checkpoint is {self.folder.checkpoint}, at step {self._saved_step}"
            if self._saved_step >= 0
            else "there is no checkpoint yet"
        )
        return (
            f"step {step}: the {what} is {value} on {', '.join(names[:4])} (all of the batch in "
            f"{self.folder.divergence}); {saved}; look at these pictures and masks, lower "
            f"learning_rate (now {self.recipe.learning_rate:g}) or set clip_norm"
        )


class _Clock:
    """Times what happens between two looks at it."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        """Return the seconds since the last lap."""
        now = time.perf_counter()
        passed, self._last = now - self._last, now
        return passed
