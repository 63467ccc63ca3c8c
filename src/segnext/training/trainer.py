"""The training loop."""

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType

import torch
from torch import Tensor

from segnext.data import FolderDataset
from segnext.errors import SegnextError, TrainingError
from segnext.inference import score_images
from segnext.metrics import Metrics, compute_metrics
from segnext.training.checkpoint import Progress, restore_checkpoint, write_checkpoint
from segnext.training.display import Display
from segnext.training.learner import Learner
from segnext.training.run_folder import RunFolder
from segnext.training.samples import draw_samples
from segnext.weights import save_model


class StoppedError(SegnextError):
    """The run was asked to stop; its state is saved."""

    exit_code = 130


class Trainer:
    """One run, from its first step or from a checkpoint.

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
        self.val = val
        self.folder = folder
        self.display = display
        self.progress = Progress()
        self.best_metrics: Metrics | None = None

    def restore(self, progress: Progress) -> None:
        """Continue from the folder's checkpoint, which stands at `progress`."""
        restore_checkpoint(
            self.folder.checkpoint,
            model=self.learner.model,
            average=self.learner.average,
            optimizer=self.learner.optimizer,
        )
        self.folder.cut_log(progress.log_bytes)
        self.progress = progress

    def fit(self) -> None:
        """Train to the last step, validating, saving and drawing on the way.

        Raises:
            TrainingError: The loss is not finite.
            StoppedError: SIGINT or SIGTERM asked to stop; the run can be resumed.
        """
        recipe, progress = self.recipe, self.progress
        window = _Window(recipe.batch_size)
        with self.display.running(recipe.max_steps), _stop_signals() as stop:
            for images, masks in self.learner.batches(progress.step):
                window.add(self.learner.learn(progress.step, images, masks))
                progress.step += 1
                progress.elapsed_s += window.lap()
                if progress.step % recipe.log_every == 0 or progress.step == recipe.max_steps:
                    self._log(window)
                if progress.step % recipe.validate_every == 0 or progress.step == recipe.max_steps:
                    self._validate()
                    progress.elapsed_s += window.lap()
                    self._save()
                    window.clear()
                if stop.is_set() and progress.step < recipe.max_steps:
                    self._save()
                    raise StoppedError(self._stopped())

    def _log(self, window: "_Window") -> None:
        progress = self.progress
        loss, images_per_s = window.summary()
        if not math.isfinite(loss):
            msg = (
                f"the loss is {loss} near step {progress.step}; lower learning_rate "
                f"(now {self.recipe.learning_rate:g}) and resume from the last good checkpoint, "
                f"{self.folder.checkpoint}"
            )
            raise TrainingError(msg)
        lr = self.learner.learning_rate
        self.folder.append(
            {
                "kind": "train",
                "step": progress.step,
                "loss": loss,
                "lr": lr,
                "images_per_s": round(images_per_s, 3),
                "elapsed_s": round(progress.elapsed_s, 2),
            }
        )
        remaining = self.recipe.max_steps - progress.step
        self.display.show_step(
            progress.step,
            loss=loss,
            lr=lr,
            images_per_s=images_per_s,
            eta_s=remaining * progress.elapsed_s / progress.step,
            miou=progress.last_miou,
        )

    def _validate(self) -> None:
        progress, classes = self.progress, self.spec.classes
        matrix = score_images(self.learner.average, self.spec, self.val)
        metrics = compute_metrics(matrix.counts)
        if not metrics.pixels:
            msg = "the val split has no labelled pixel to measure anything on"
            raise TrainingError(msg)
        best = metrics.miou >= progress.best_miou
        progress.last_miou = metrics.miou
        if best:
            progress.best_miou, progress.best_step = metrics.miou, progress.step
            self.best_metrics = metrics
            self.folder.write_per_class(classes.label_names, metrics)
        self.folder.append(
            {
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
        )
        self._save_weights(metrics, best=best)
        self.folder.draw_curves()
        draw_samples(
            self.learner.average,
            self.spec,
            self.val,
            self.folder.samples / f"step_{progress.step:06}.png",
        )
        self.display.show_validation(progress.step, metrics, best=best)

    def _save_weights(self, metrics: Metrics, *, best: bool) -> None:
        score = {
            "miou": metrics.miou,
            "pixel_accuracy": metrics.pixel_accuracy,
            "split": "val",
            "images": len(self.val),
            "protocol": self.spec.protocol.describe(),
            "step": self.progress.step,
        }
        spec = replace(self.spec, score=score)
        save_model(self.learner.average, self.folder.last, spec)
        if best:
            save_model(self.learner.average, self.folder.best, spec)

    def _save(self) -> None:
        self.progress.log_bytes = self.folder.log_length()
        write_checkpoint(
            self.folder.checkpoint,
            model=self.learner.model,
            average=self.learner.average,
            optimizer=self.learner.optimizer,
            progress=self.progress,
            recipe=self.recipe.model_dump(mode="json"),
        )

    def _stopped(self) -> str:
        return (
            f"stopped at step {self.progress.step} of {self.recipe.max_steps}, everything is "
            f"saved; go on with segnext train --resume {self.folder.path}"
        )


class _Window:
    """Losses and time since the last log line; losses stay on the device until asked for."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self._last = time.perf_counter()
        self.clear()

    def clear(self) -> None:
        self._losses: list[Tensor] = []
        self._start = time.perf_counter()

    def add(self, loss: Tensor) -> None:
        self._losses.append(loss)

    def lap(self) -> float:
        now = time.perf_counter()
        passed, self._last = now - self._last, now
        return passed

    def summary(self) -> tuple[float, float]:
        """Return mean loss and images per second, and start anew."""
        loss = torch.stack(self._losses).mean().item()
        speed = len(self._losses) * self.batch_size / (time.perf_counter() - self._start)
        self.clear()
        return loss, speed


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """Set an event on SIGINT and SIGTERM, so that a run stops between two steps."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # signals belong to the main thread; elsewhere nobody asks us to stop
        return

    def request(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
