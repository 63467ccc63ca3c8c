"""From arguments to a finished run: open, check, plan, train."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from segnext.data import Folder
from segnext.errors import TrainingError, UsageError
from segnext.inference import choose_device, score_images
from segnext.metrics import Metrics, compute_metrics
from segnext.training.checkpoint import read_about
from segnext.training.config import Recipe, TrainConfig, build_config
from segnext.training.determinism import deterministic_algorithms
from segnext.training.display import Display
from segnext.training.environment import record_session
from segnext.training.finding import (
    BatchRange,
    LrRange,
    run_range_test,
    save_batches,
    save_range,
    search_batch,
)
from segnext.training.learner import Learner, build_learner, build_model
from segnext.training.measure import StepMeter
from segnext.training.planning import Plan, check_batch, check_model, make_plan, open_training_data
from segnext.training.processes import Processes
from segnext.training.run_files import CHECKPOINT, next_run_folder
from segnext.training.run_folder import RunFolder
from segnext.training.samples import SHEET_ROWS, draw_samples
from segnext.training.sharding import gather_model
from segnext.training.tracking import check_trackers
from segnext.training.trainer import Trainer
from segnext.weights import initialize, load_model, start_encoder

# What may differ when a run goes on: it changes no sample and no order, but for those that are bad.
_FREE_OPTIONS = (
    "device",
    "num_workers",
    "worker_slow",
    "worker_hung",
    "fsdp",
    "on_bad_sample",
    "on_nonfinite",
)


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
    plan: Plan | None = None,
    resume: str | Path | None = None,
    out: str | Path | None = None,
    dry_run: bool = False,
    quiet: bool = False,
    **options: Any,
) -> TrainRun:
    """Train a model on a folder of photos and masks.

    Started in several processes by `torchrun` or `accelerate launch`, it trains one model in all
    of them; loss, metrics and samples are those of one process.

    Args:
        data: Folder or data.yaml; see `segnext.data.open_folder` for the layouts understood.
        plan: From `segnext.plan`; its data and options hold where nothing else is given.
        resume: Folder of a run to go on with; its own configuration is used, nothing else may
            be given but `quiet`, `device`, `num_workers`, `worker_slow`, `worker_hung`, `fsdp`,
            `on_bad_sample` and `on_nonfinite`.
        out: Run folder to make; by default the next free one under `runs/`.
        dry_run: Open, check, plan and do one step and one validated picture, then leave without
            writing anything.
        quiet: Print nothing.
        **options: Fields of `TrainConfig`, such as `model`, `budget="30m"` or `max_steps`.

    Raises:
        UsageError: An option is unknown or out of range.
        DataError: The data cannot be used; says what, where and what to do.
        WeightsError: Weights to start from cannot be read.
        TrainingError: The run cannot start or go on.
        StoppedError: The run was interrupted and saved.
    """
    if resume is not None:
        if data is not None or out is not None or plan or not options.keys() <= {*_FREE_OPTIONS}:
            msg = (
                "resume goes on with a run's own data, folder and options; give nothing else but "
                f"{', '.join(_FREE_OPTIONS)}"
            )
            raise UsageError(msg)
        return _resume(_existing(Path(resume)), options, quiet=quiet)
    values = plan.recipe.model_dump() if plan else {}
    values |= {"data": Path(data)} if data is not None else {}
    if "data" not in values | options:
        msg = "no data given: segnext train DIR, or --resume RUN"
        raise UsageError(msg)
    config = build_config(values | options)
    with deterministic_algorithms(config.deterministic):
        return _start(config, out, dry_run=dry_run, quiet=quiet)


def find(
    kind: Literal["lr", "batch"],
    data: str | Path,
    *,
    out: str | Path | None = None,
    steps: int = 100,
    quiet: bool = False,
    **options: Any,
) -> LrRange | BatchRange:
    """Try what a run would do, to find its learning rate or its largest batch; one process only.

    Args:
        kind: `lr`: train `steps` steps with a growing learning rate, see
            `segnext.training.finding`. `batch`: find the largest batch that fits into `memory`.
        data: Folder or data.yaml.
        out: Folder for a JSON file and a plot; by default the next free one under `runs/`.
        steps: Of `lr`.
        quiet: Print nothing.
        **options: Fields of `TrainConfig`.

    Raises:
        SegnextError: As `train`, or nothing can be found.
    """
    config = build_config({"data": Path(data), **options})
    check_model(config)
    display = Display(quiet=quiet)
    folder, processes = open_training_data(config), Processes.alone()
    recipe = make_plan(config, folder, processes).recipe
    name = f"{config.data.resolve().stem}-{config.model}-find-{kind}"
    place = Path(out) if out is not None else next_run_folder(Path("runs"), name)
    if kind == "batch":
        batches = search_batch(StepMeter(folder, processes), recipe)
        display.say(
            f"largest batch that fits into {batches.limit / 1e9:.2f} GB: {batches.largest}; "
            f"{save_batches(batches, place)}"
        )
        return batches
    trial = recipe.model_copy(update={"max_steps": steps, "clip_norm": 0.0})
    rates = run_range_test(_build_new(trial, folder, processes, display))
    display.say(
        f"the loss falls fastest at learning rate {rates.steepest:.2g} and is lowest at "
        f"{rates.lowest:.2g}; take --learning-rate {rates.steepest:.2g}; {save_range(rates, place)}"
    )
    return rates


def _start(config: TrainConfig, out: str | Path | None, *, dry_run: bool, quiet: bool) -> TrainRun:
    check_model(config)
    check_trackers(config.trackers)
    processes = _join_processes(config)
    display = _open_display(config, processes, quiet=quiet)
    directory = processes.once(lambda: _choose_directory(config, out, dry_run=dry_run))
    data = open_training_data(config)
    for note in data.notes:
        display.say(note)
    plan = processes.once(lambda: make_plan(config, data, processes))
    display.show_choices(plan.choices)
    for note in plan.notes:
        display.say(note)
    learner = _build_new(plan.recipe, data, processes, display)
    if dry_run:
        return _rehearse(learner, data, display, directory)
    folder = RunFolder(directory)
    if processes.is_main:
        # What a run left that was killed before its first checkpoint.
        folder.remove_fragments()
        folder.cut_log(0)
        folder.write_plan(plan)
        record_session(folder.environment, data, step=0, processes=processes.count)
    trainer = Trainer(learner, val=data.dataset("val"), folder=folder, display=display)
    return _finish(trainer)


def _resume(directory: Path, changes: dict[str, Any], *, quiet: bool) -> TrainRun:
    progress, values = read_about(directory / CHECKPOINT)
    build_config(changes | {"data": directory})  # a wrong change is answered as any other
    recipe = Recipe(**{**values, **changes})
    processes = _join_processes(recipe)
    check_batch(recipe, processes.count)
    display = _open_display(recipe, processes, quiet=quiet)
    data = open_training_data(recipe)
    display.say(f"going on at step {progress.step} of {recipe.max_steps}")
    learner = build_learner(recipe, data, processes)
    folder = RunFolder(directory)
    trainer = Trainer(learner, val=data.dataset("val"), folder=folder, display=display)
    trainer.restore(progress)
    if processes.is_main:
        record_session(folder.environment, data, step=progress.step, processes=processes.count)
    with deterministic_algorithms(recipe.deterministic):
        return _finish(trainer)


def _join_processes(config: TrainConfig) -> Processes:
    return Processes(cpu=choose_device(config.device).type == "cpu")


def _open_display(config: TrainConfig, processes: Processes, *, quiet: bool) -> Display:
    display = Display(quiet=quiet, is_main=processes.is_main)
    if config.fsdp and processes.count == 1:
        display.say("fsdp does nothing in one process; torchrun starts several")
    return display


def _choose_directory(config: TrainConfig, out: str | Path | None, *, dry_run: bool) -> Path:
    name = f"{config.data.resolve().stem}-{config.model}"
    directory = Path(out) if out is not None else next_run_folder(Path("runs"), name)
    if (directory / CHECKPOINT).exists() and not dry_run:
        msg = f"{directory} holds a run already; go on with --resume {directory}, or choose --out"
        raise TrainingError(msg)
    return directory


def _existing(directory: Path) -> Path:
    if not directory.is_dir():
        msg = f"{directory}: no such run folder"
        raise TrainingError(msg)
    return directory


def _build_new(recipe: Recipe, data: Folder, processes: Processes, display: Display) -> Learner:
    model = build_model(recipe, data)
    if recipe.encoder is not None:
        for note in start_encoder(model, recipe.encoder)[0]:
            display.say(note)
        display.say(f"only the encoder is taken from {recipe.encoder}; the decoder starts anew")
    elif recipe.init != "none":
        for note in initialize(model, data.classes, recipe.init, merged=recipe.merge):
            display.say(note)
    return build_learner(recipe, data, processes, model=model)


def _rehearse(learner: Learner, data: Folder, display: Display, directory: Path) -> TrainRun:
    """Do what a run would do first, and write nothing."""
    result = learner.learn(0, next(iter(learner.batches(0))))
    val = data.dataset("val")
    matrix = score_images(gather_model(learner.average), learner.spec, val, indices=range(1))
    display.say(
        f"dry run: one step (loss {result.loss:.3f}, gradient norm {result.gradient_norm:.2g}) and "
        f"one validated picture went well; {learner.recipe.max_steps} steps would go to {directory}"
    )
    return TrainRun(directory, directory / "best.safetensors", compute_metrics(matrix.counts), 1)


def _finish(trainer: Trainer) -> TrainRun:
    trainer.fit()
    folder, spec, val = trainer.folder, trainer.spec, trainer.val
    progress, metrics = trainer.progress, trainer.best_metrics
    if metrics is None:  # the best validation was before a resume
        best = load_model(folder.best, device=trainer.learner.device)
        metrics = compute_metrics(score_images(best, spec, val).counts)
    if trainer.processes.is_main:
        best = load_model(folder.best, device=trainer.learner.device)
        draw_samples(best, spec, val, folder.contact_sheet, rows=SHEET_ROWS)
    if progress.skipped_samples:
        trainer.display.say(
            f"{progress.skipped_samples} samples could not be read and were skipped; {folder.log} "
            f"names them"
        )
    trainer.display.show_classes(spec.classes.label_names, metrics)
    trainer.display.say(
        f"best val mIoU {metrics.miou:.1%} at step {progress.best_step}; "
        f"weights {folder.best}, pictures {folder.contact_sheet} and {folder.curves}"
    )
    return TrainRun(folder.path, folder.best, metrics, progress.step)
