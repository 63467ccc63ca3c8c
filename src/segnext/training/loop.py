"""The course of a run: steps, log lines, validations, checkpoints and stops.

What is trained, and what a validation is, the learner and the subclasses know.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch
from torch import nn

from segnext.data.watching import WorkerDiedError
from segnext.errors import TrainingError
from segnext.stopping import EXIT_CODES, StoppedError, listen_for_stop
from segnext.training.checkpoint import RunProgress, restore_checkpoint, write_checkpoint
from segnext.training.display import Display
from segnext.training.divergence import Divergence, keep_batch, keep_divergence
from segnext.training.gradient_step import StepResult
from segnext.training.processes import Processes
from segnext.training.run_files import RunFiles
from segnext.training.tracking import Trackers


class LoopRecipe(Protocol):
    """What the course of a run depends on; see `segnext.training.config.TrainConfig`."""

    @property
    def batch_size(self) -> int:
        """Samples per optimizer step, over all processes."""

    @property
    def max_steps(self) -> int:
        """Optimizer steps of the run."""

    @property
    def learning_rate(self) -> float:
        """At the end of warm-up."""

    @property
    def validate_every(self) -> int:
        """Steps between validations."""

    @property
    def checkpoint_every(self) -> float:
        """Most seconds between two checkpoints."""

    @property
    def patience(self) -> int:
        """Validations without a better one after which the run ends; 0 does not."""

    @property
    def log_every(self) -> int:
        """Steps between lines of the log."""

    @property
    def on_nonfinite(self) -> str:
        """What becomes of a step whose loss or gradients are not finite: `stop` or `skip`."""

    @property
    def skip_limit(self) -> int:
        """Steps in a row that may be skipped."""

    @property
    def trackers(self) -> tuple[str, ...]:
        """Also log to these."""

    def model_dump(self, *, mode: str = ...) -> dict[str, Any]:
        """Return every option, JSON-ready with mode `json`."""


# How often reading may be started anew at one step.
_RESTARTS = 3


class LoopLearner(Protocol):
    """What a loop drives: model, moving average, optimizer and the batches they see."""

    scaler: torch.amp.GradScaler
    device: torch.device
    processes: Processes

    @property
    def recipe(self) -> LoopRecipe:
        """Every option."""

    @property
    def model(self) -> nn.Module:
        """What is trained."""

    @property
    def average(self) -> nn.Module:
        """The moving average of its weights."""

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """Over its parameters."""

    @property
    def learning_rate(self) -> float:
        """Of the latest step."""

    def batches(self, start_step: int, tell: Callable[[str], None]) -> Iterator[Any]:
        """Yield this process's batches from a step on; a slow reading worker is told."""

    def learn(self, step: int, batch: Any) -> StepResult:
        """Do an optimizer step."""

    def picture_names(self, step: int) -> list[str]:
        """Return which pictures a step's whole batch shows."""


class Loop(ABC):
    """One run, from its first step or from a checkpoint, in one process or many.

    Every process does every step; only the main one writes and speaks. All decisions (a better
    validation, a stop, a checkpoint) follow from numbers that all of them share.

    Args:
        learner: Model, average and optimizer.
        files: Where everything is written.
        display: What the user sees.
        progress: Where the run stands.
    """

    command = "segnext train"

    def __init__(
        self, learner: LoopLearner, *, files: RunFiles, display: Display, progress: RunProgress
    ) -> None:
        self._driven = learner
        self._files = files
        self._progress = progress
        self.processes = learner.processes
        self.display = display
        self._ends_early = False
        self._saved_step = -1
        self._saved_at = time.monotonic()

    @abstractmethod
    def _validate(self, trackers: Trackers) -> None:
        """Measure the average, keep it if it is the best, and tell."""

    @abstractmethod
    def _latest_score(self) -> str:
        """Return the latest validation's score in a few words."""

    def restore(self, progress: Any) -> None:
        """Continue from the folder's checkpoint, which stands at `progress`."""
        learner = self._driven
        restore_checkpoint(
            self._files.checkpoint,
            model=learner.model,
            average=learner.average,
            optimizer=learner.optimizer,
            scaler=learner.scaler,
        )
        if self.processes.is_main:
            self._files.remove_fragments()
            self._files.cut_log(progress.log_bytes)
        self._progress = progress
        self._saved_step = progress.step

    def fit(self) -> None:
        """Train to the last step, validating, saving and drawing on the way.

        Raises:
            TrainingError: Loss or gradients are not finite.
            StoppedError: SIGINT or SIGTERM asked to stop; the run can be resumed.
        """
        if not self._progress.finished:
            self._take_steps()

    def _take_steps(self) -> None:
        recipe, progress = self._driven.recipe, self._progress
        clock = Clock()
        trackers = Trackers(
            recipe.trackers if self.processes.is_main else (),
            self._files.path,
            recipe.model_dump(mode="json"),
        )
        try:
            with self.display.running(recipe.max_steps), listen_for_stop() as stop:
                for batch in self._batches():
                    self._step(batch, clock, trackers)
                    if progress.finished:
                        break
                    self._stop_or_save(stop.number)
        finally:
            trackers.close()

    def _batches(self) -> Iterator[Any]:
        """Yield the batches from where the run stands, also where a reading worker dies or hangs.

        Raises:
            WorkerDiedError: Again and again at the same step.
        """
        died_at, times = -1, 0
        while True:
            try:
                yield from self._driven.batches(self._progress.step, self._say_own)
            except WorkerDiedError as error:
                step = self._progress.step
                died_at, times = step, times + 1 if step == died_at else 1
                if times > _RESTARTS:
                    msg = f"step {step}: {error}; {self._explain_deaths(times)}"
                    raise WorkerDiedError(msg) from error
                self._say_own(f"{error}; the workers are started again")
            else:
                return

    def _say_own(self, text: str) -> None:
        own = f"process {self.processes.rank}, " if self.processes.count > 1 else ""
        self.display.say_own(f"{own}step {self._progress.step}: {text}")

    def _explain_deaths(self, times: int) -> str:
        return (
            f"{times} in a row at this step; {self._last_save()}; give fewer workers, such as "
            f"--workers 0, which reads in the training process and shows why"
        )

    def _step(self, batch: Any, clock: "Clock", trackers: Trackers) -> None:
        recipe, progress = self._driven.recipe, self._progress
        result = self._driven.learn(progress.step, batch)
        seconds = clock.lap()
        if result.finite:
            progress.skipped_steps = 0
            progress.unlogged.append([result.loss, result.gradient_norm, seconds])
        else:
            self._skip_or_stop(result, batch)
        progress.step += 1
        progress.elapsed_s += seconds
        last = progress.step == recipe.max_steps
        if progress.step % recipe.log_every == 0 or last:
            self._log(trackers)
        if progress.step % recipe.validate_every == 0 or last:
            self._validate(trackers)
            impatient = recipe.patience > 0 and progress.stale >= recipe.patience
            progress.finished = last or impatient or self._ends_early
            progress.elapsed_s += clock.lap()
            self._save()

    def _stop_or_save(self, signal_number: int) -> None:
        """Stop if any process was asked to; else save if the last checkpoint is old."""
        due = time.monotonic() - self._saved_at >= self._driven.recipe.checkpoint_every
        asked = torch.tensor([signal_number == number for number in EXIT_CODES] + [due])
        agreed = self.processes.sum(asked.to(self._driven.device, torch.int32)).tolist()
        *stops, save = agreed
        if not any(agreed):
            return
        if save or self._saved_step != self._progress.step:
            self._save()
        # Once one process has left, torchrun gives the others 30 s: the main one saves first.
        self.processes.once(lambda: None)
        for code, wanted in zip(EXIT_CODES.values(), stops, strict=True):
            if wanted:
                raise StoppedError(self._stopped(), code)

    def _skip_or_stop(self, result: StepResult, batch: Any) -> None:
        """Keep what a step saw that is not finite, and go on without it if that was asked for.

        Raises:
            TrainingError: It was not, or the limit is reached.
        """
        recipe, progress = self._driven.recipe, self._progress
        names = tuple(self._driven.picture_names(progress.step))
        divergence = Divergence(progress.step, result.loss, result.gradient_norm, names)
        if self.processes.is_main:
            keep_divergence(divergence, self._files.divergence)
        keep_batch(batch, self._files.diverged_batch(self.processes.rank))
        progress.skipped_steps += 1
        if recipe.on_nonfinite == "stop" or progress.skipped_steps > recipe.skip_limit:
            raise TrainingError(self._explain_divergence(divergence))
        if self.processes.is_main:
            self._files.append({"kind": "skipped", **divergence.record})
        self.display.say(f"{divergence.describe()}; skipped")

    def _log(self, trackers: Trackers) -> None:
        recipe, progress = self._driven.recipe, self._progress
        count = len(progress.unlogged)
        if not count:  # all were skipped
            return
        losses, norms, seconds = zip(*progress.unlogged, strict=True)
        progress.unlogged = []
        loss, norm = sum(losses) / count, sum(norms) / count
        images_per_s = count * recipe.batch_size / sum(seconds)
        lr = self._driven.learning_rate
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
            self._files.append(record)
            trackers.log(record)
        remaining = recipe.max_steps - progress.step
        self.display.show_step(
            progress.step,
            loss=loss,
            lr=lr,
            images_per_s=images_per_s,
            eta_s=remaining * progress.elapsed_s / progress.step,
            score=self._latest_score(),
        )

    def _save(self) -> None:
        self._saved_step, self._saved_at = self._progress.step, time.monotonic()
        learner = self._driven
        self._progress.log_bytes = self._files.log_length()
        write_checkpoint(
            self._files.checkpoint,
            model=learner.model,
            average=learner.average,
            optimizer=learner.optimizer,
            scaler=learner.scaler,
            progress=self._progress,
            recipe=learner.recipe.model_dump(mode="json"),
            is_main=self.processes.is_main,
        )

    def _stopped(self) -> str:
        return (
            f"stopped at step {self._progress.step} of {self._driven.recipe.max_steps}, everything "
            f"is saved; go on with {self.command} --resume {self._files.path}"
        )

    def _last_save(self) -> str:
        if self._saved_step < 0:
            return "there is no checkpoint yet"
        return f"the last good checkpoint is {self._files.checkpoint}, at step {self._saved_step}"

    def _explain_divergence(self, divergence: Divergence) -> str:
        """Name the step, the pictures it saw, and the last checkpoint, which is good."""
        row = self._progress.skipped_steps
        before = f" after {row - 1} skipped ones" if row > 1 else ""
        return (
            f"{divergence.describe()} (all of the batch in {self._files.divergence}){before}; "
            f"{self._last_save()}; look at these pictures and their labels, lower learning_rate "
            f"(now {self._driven.recipe.learning_rate:g}) or set clip_norm"
        )


class Clock:
    """Times what happens between two looks at it."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        """Return the seconds since the last lap."""
        now = time.perf_counter()
        passed, self._last = now - self._last, now
        return passed
