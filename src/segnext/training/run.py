"""From arguments to a finished run: open, check, plan, train."""

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch

from segnext.classes import Classes
from segnext.data import Folder, open_folder
from segnext.errors import DataError, SegnextError, TrainingError, UsageError
from segnext.inference import compute_logits, compute_mask, prepare_image, score_images
from segnext.metrics import Metrics, compute_metrics
from segnext.models import SegNeXt, configure, create_model
from segnext.spec import ModelSpec, Normalization, Protocol
from segnext.training.checkpoint import read_about
from segnext.training.config import Recipe, TrainConfig, build_config
from segnext.training.display import Display
from segnext.training.learner import Learner, Splits
from segnext.training.plan import Timing, collect_facts, plan_run
from segnext.training.run_folder import CHECKPOINT, RunFolder, next_run_folder
from segnext.training.samples import SHEET_ROWS, draw_samples
from segnext.training.trainer import Trainer
from segnext.weights import (
    convert_state_dict,
    load_model,
    read_checkpoint,
    read_spec,
    start_from,
)

TIMED_STEPS = 3
CLASSIFIER = "decoder.classifier."


@dataclass(frozen=True)
class TrainRun:
    """What a finished run left.

    Attributes:
        directory: The run folder; see `segnext.training.run_folder`.
        best: Weights of the best validation.
        metrics: Of those weights on the validation split.
        steps: Optimizer steps done.
    """

    directory: Path
    best: Path
    metrics: Metrics
    steps: int


def train(
    data: str | Path | None = None,
    *,
    resume: str | Path | None = None,
    out: str | Path | None = None,
    quiet: bool = False,
    **options: Any,
) -> TrainRun:
    """Train a model on a folder of photos and masks.

    Args:
        data: Folder or data.yaml; see `segnext.data.open_folder` for the layouts understood.
        resume: Folder of a run to go on with; its own configuration is used, nothing else may
            be given but `quiet`.
        out: Run folder to make; by default the next free one under `runs/`.
        quiet: Print nothing.
        **options: Fields of `TrainConfig`, such as `model`, `budget="30m"` or `max_steps`.

    Raises:
        UsageError: An option is unknown or out of range.
        DataError: The data cannot be used; says what, where and what to do.
        TrainingError: The run cannot start or go on.
        StoppedError: The run was interrupted and saved.
    """
    if resume is not None:
        if data is not None or out is not None or options:
            msg = "resume goes on with a run's own data, folder and options; give nothing else"
            raise UsageError(msg)
        return _resume(RunFolder(_existing(Path(resume))), quiet=quiet)
    if data is None:
        msg = "no data given: segnext train DIR, or --resume RUN"
        raise UsageError(msg)
    return _start(build_config({"data": Path(data), **options}), out, quiet=quiet)


def _start(config: TrainConfig, out: str | Path | None, *, quiet: bool) -> TrainRun:
    configure(config.model, num_classes=1, **config.model_options)  # a wrong name stops here
    name = f"{config.data.resolve().stem}-{config.model}"
    directory = Path(out) if out is not None else next_run_folder(Path("runs"), name)
    if (directory / CHECKPOINT).exists():
        msg = f"{directory} holds a run already; go on with --resume {directory}, or choose --out"
        raise TrainingError(msg)
    data = _open(config)
    splits = _check_splits(data)
    display = Display(quiet=quiet)
    for note in data.notes:
        display.say(note)
    facts = collect_facts(splits.train, splits.val, channels=data.channels, bits=data.bits)
    recipe, choices = plan_run(
        config, facts, splits.train, lambda draft: _time_steps(draft, data, splits)
    )
    folder = RunFolder(directory)
    folder.cut_log(0)  # lines of a run that was killed before its first checkpoint
    folder.write_config(recipe, choices)
    display.show_choices(choices)
    learner, notes = _build_learner(recipe, data.classes, splits)
    for note in notes:
        display.say(note)
    return _finish(Trainer(learner, val=splits.val, folder=folder, display=display))


def _resume(folder: RunFolder, *, quiet: bool) -> TrainRun:
    progress, values = read_about(folder.checkpoint)
    recipe = Recipe(**values)
    data = _open(recipe)
    display = Display(quiet=quiet)
    display.say(f"going on at step {progress.step} of {recipe.max_steps}")
    splits = _check_splits(data)
    learner, _ = _build_learner(recipe, data.classes, splits)
    trainer = Trainer(learner, val=splits.val, folder=folder, display=display)
    trainer.restore(progress)
    return _finish(trainer)


def _existing(directory: Path) -> Path:
    if not directory.is_dir():
        msg = f"{directory}: no such run folder"
        raise TrainingError(msg)
    return directory


def _open(config: TrainConfig) -> Folder:
    return open_folder(
        config.data,
        group=config.group,
        ignore_index=config.ignore_index,
        split_seed=config.split_seed,
    )


def _check_splits(data: Folder) -> Splits:
    splits = Splits(data.dataset("train"), data.dataset("val"))
    for split in (splits.train, splits.val):
        if not len(split):
            msg = f"{data.root}: the {split.split} split is empty"
            raise DataError(msg)
        split.check()
    return splits


def _build_learner(
    recipe: Recipe, classes: Classes, splits: Splits
) -> tuple[Learner, tuple[str, ...]]:
    model, notes = _build_model(recipe, classes)
    spec = ModelSpec(
        model=recipe.model,
        config=model.config.to_dict(),
        classes=classes,
        normalization=Normalization(recipe.mean, recipe.std),
        protocol=Protocol(window=recipe.window),
        license=recipe.license,
    )
    return Learner(recipe, model=model, spec=spec, train=splits.train), notes


def _build_model(recipe: Recipe, classes: Classes) -> tuple[SegNeXt, tuple[str, ...]]:
    torch.manual_seed(recipe.seed)
    model = create_model(
        recipe.model,
        num_classes=classes.num_classes,
        in_channels=len(recipe.mean),
        **recipe.model_options,
    )
    if recipe.init == "none":
        return model, ()
    state_dict = dict(read_checkpoint(recipe.init))
    if not _same_classes(recipe.init, classes):
        state_dict = {k: v for k, v in state_dict.items() if not k.startswith(CLASSIFIER)}
    return model, start_from(model, convert_state_dict(state_dict))


def _same_classes(path: str, classes: Classes) -> bool:
    """Tell whether the classifier of a file of ours means these classes, in this order."""
    try:
        return read_spec(path).classes.names == classes.names
    except SegnextError:
        return False


def _finish(trainer: Trainer) -> TrainRun:
    trainer.fit()
    folder, spec, val = trainer.folder, trainer.spec, trainer.val
    best = load_model(folder.best, device=trainer.learner.device)
    metrics = trainer.best_metrics
    if metrics is None:  # the best validation was before a resume
        metrics = compute_metrics(score_images(best, spec, val).counts)
    draw_samples(best, spec, val, folder.contact_sheet, rows=SHEET_ROWS)
    trainer.display.show_classes(spec.classes.label_names, metrics)
    trainer.display.say(
        f"best val mIoU {metrics.miou:.1%} at step {trainer.progress.best_step}; "
        f"weights {folder.best}, pictures {folder.contact_sheet} and {folder.curves}"
    )
    return TrainRun(folder.path, folder.best, metrics, trainer.progress.step)


def _time_steps(draft: Recipe, data: Folder, splits: Splits) -> Timing:
    """Run a few real steps and one validation picture of a recipe, and forget the weights."""
    recipe = draft.model_copy(update={"max_steps": TIMED_STEPS + 1})
    learner, _ = _build_learner(recipe, data.classes, splits)
    steps = []
    for step, (images, masks) in enumerate(learner.batches(0)):
        start = time.perf_counter()
        learner.learn(step, images, masks).item()
        steps.append(time.perf_counter() - start)
    image = splits.val.image(len(splits.val) // 2)
    inputs = prepare_image(image, learner.spec.normalization, learner.device)
    for _ in range(2):  # the first one warms up
        start = time.perf_counter()
        compute_mask(compute_logits(learner.average, inputs, learner.spec.protocol))
        picture = time.perf_counter() - start
    return Timing(median(steps[1:]), picture)
