"""From arguments to a finished classification run: open, check, choose, train."""

import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segnext.classification.augmentation import EvaluationView
from segnext.classification.config import ClassifyConfig, ClassifyRecipe, build_classify_config
from segnext.classification.files import ClassifierSpec, load_classifier
from segnext.classification.learner import ClassifierLearner, build_classifier
from segnext.classification.photos import ViewedPhotos
from segnext.classification.planning import StepTiming, check_batch, resolve
from segnext.classification.run_folder import ClassifyFolder
from segnext.classification.scoring import ClassScores, score_photos
from segnext.classification.start import start_classifier
from segnext.classification.trainer import ClassifierTrainer, ClassifyProgress, score_split
from segnext.data.datasets.class_folders import read_class_folders
from segnext.data.datasets.imagenet import ImageFolder, ImageSplit, read_synsets
from segnext.errors import TrainingError, UsageError
from segnext.inference import choose_device
from segnext.models import Classifier, configure_classifier
from segnext.spec import Normalization
from segnext.storage import write_atomically
from segnext.training.checkpoint import read_stand
from segnext.training.config import UNSTATED
from segnext.training.display import Display
from segnext.training.planning import format_choices
from segnext.training.processes import Processes
from segnext.training.run_files import CHECKPOINT, next_run_folder
from segnext.training.situation import Choice
from segnext.training.tracking import check_trackers

# What may differ when a run goes on elsewhere, because it changes no sample and no order.
_MACHINE_OPTIONS = ("device", "num_workers", "worker_slow", "worker_hung")
TIMED_PHOTOS = 128

_IMAGENET_TERMS = "trained on photos of ImageNet-1k, whose terms are non-commercial research"


@dataclass(frozen=True)
class ClassifyRun:
    """What a finished run left.

    Attributes:
        directory: The run folder; see `segnext.classification.run_folder`.
        best: Weights of the best validation.
        scores: Of those weights on the validation split.
        steps: Optimizer steps done.
    """

    directory: Path
    best: Path
    scores: ClassScores
    steps: int

    @property
    def top1(self) -> float:
        """Share of validation photos whose class is the most probable one, 0-1."""
        return self.scores.top1

    @property
    def top5(self) -> float | None:
        """Share whose class is among the top five, 0-1; `None` for five classes or fewer."""
        return self.scores.top5


def train(
    data: str | Path | None = None,
    *,
    resume: str | Path | None = None,
    out: str | Path | None = None,
    quiet: bool = False,
    **options: Any,
) -> ClassifyRun:
    """Train a classifier on photos in folders by class.

    Started in several processes by `torchrun` or `accelerate launch`, it trains one model in all
    of them; loss, scores and samples are those of one process.

    Args:
        data: Folder with `train` and `val`; see `segnext.data.datasets.class_folders`.
        resume: Folder of a run to go on with; nothing else may be given but `quiet`, `device`,
            `num_workers`, `worker_slow` and `worker_hung`.
        out: Run folder to make; by default the next free one under `runs/`.
        quiet: Print nothing.
        **options: Fields of `ClassifyConfig`, such as `model`, `budget="30m"` or `epochs`.

    Raises:
        UsageError: An option is unknown or out of range.
        DataError: The data cannot be used; says what, where and what to do.
        WeightsError: Weights to start from cannot be read.
        TrainingError: The run cannot start or go on.
        StoppedError: The run was interrupted and saved.
    """
    if resume is not None:
        if data is not None or out is not None or not options.keys() <= {*_MACHINE_OPTIONS}:
            msg = (
                "resume goes on with a run's own data, folder and options; give nothing else but "
                f"{', '.join(_MACHINE_OPTIONS)}"
            )
            raise UsageError(msg)
        return _resume(Path(resume), options, quiet=quiet)
    values = options | ({"data": Path(data)} if data is not None else {})
    if "data" not in values:
        msg = "no data given: segnext classify train DIR, or --resume RUN"
        raise UsageError(msg)
    return _start(build_classify_config(values), out, quiet=quiet)


def _start(config: ClassifyConfig, out: str | Path | None, *, quiet: bool) -> ClassifyRun:
    _check_model(config)
    check_trackers(config.trackers)
    processes = Processes(cpu=choose_device(config.device).type == "cpu")
    display = Display(quiet=quiet, is_main=processes.is_main)
    directory = processes.once(lambda: _choose_directory(config, out))
    data = read_class_folders(config.data)
    display.say(_describe(data))

    def measure(recipe: ClassifyRecipe) -> StepTiming:
        return _measure(recipe, data, processes.count)

    recipe, choices = processes.once(lambda: resolve(config, data, processes.count, measure))
    display.show_choices(choices)
    model = build_classifier(recipe, len(data.wnids))
    if recipe.init != "none":
        for note in start_classifier(model, data.wnids, recipe.init):
            display.say(note)
    learner = _build_learner(recipe, data, processes, model)
    folder = ClassifyFolder(directory)
    if processes.is_main:
        # What a run left that was killed before its first checkpoint.
        folder.remove_fragments()
        folder.cut_log(0)
        write_atomically(folder.config, _format(recipe, choices).encode())
    trainer = ClassifierTrainer(learner, val=data.splits["val"], folder=folder, display=display)
    return _finish(trainer)


def _check_model(config: ClassifyConfig) -> None:
    """Refuse a wrong model, or an option said twice, before any work."""
    own = {"stem_stride": "stem_stride", "dropout": "dropout", "drop_path_rate": "drop_path"}
    for name in config.model_options:
        if name in own:
            msg = f"model_options.{name} is an option of its own: give {own[name]}"
            raise UsageError(msg)
    configure_classifier(config.model, num_classes=2, **config.model_options)


def _resume(directory: Path, changes: dict[str, Any], *, quiet: bool) -> ClassifyRun:
    if not directory.is_dir():
        msg = f"{directory}: no such run folder"
        raise TrainingError(msg)
    progress, values = read_stand(directory / CHECKPOINT, ClassifyProgress)
    build_classify_config(changes | {"data": directory})  # a wrong change is answered as any other
    recipe = ClassifyRecipe(**{**values, **changes})
    processes = Processes(cpu=choose_device(recipe.device).type == "cpu")
    check_batch(recipe, processes.count)
    display = Display(quiet=quiet, is_main=processes.is_main)
    data = read_class_folders(recipe.data)
    display.say(f"going on at step {progress.step} of {recipe.max_steps}")
    model = build_classifier(recipe, len(data.wnids))
    learner = _build_learner(recipe, data, processes, model)
    folder = ClassifyFolder(directory)
    trainer = ClassifierTrainer(learner, val=data.splits["val"], folder=folder, display=display)
    trainer.restore(progress)
    return _finish(trainer)


def _finish(trainer: ClassifierTrainer) -> ClassifyRun:
    trainer.fit()
    folder, progress, scores = trainer.folder, trainer.progress, trainer.best_scores
    if scores is None:  # the best validation was before a resume
        best, spec = load_classifier(folder.best, device=trainer.learner.device)
        viewed = ViewedPhotos(trainer.val, spec.view, spec.normalization)
        scores = score_photos(best, viewed)
    trainer.display.say(
        f"best val {scores.describe()} at step {progress.best_step}; weights {folder.best}, "
        f"curves {folder.curves}"
    )
    return ClassifyRun(folder.path, folder.best, scores, progress.step)


def _build_learner(
    recipe: ClassifyRecipe, data: ImageFolder, processes: Processes, model: Classifier
) -> ClassifierLearner:
    spec = build_classifier_spec(recipe, data, model)
    return ClassifierLearner(
        recipe, model=model, spec=spec, train=data.splits["train"], processes=processes
    )


def build_classifier_spec(
    recipe: ClassifyRecipe, data: ImageFolder, model: Classifier
) -> ClassifierSpec:
    """Describe what a run's model is and how photos are fed to it."""
    imagenet = set(data.wnids) <= read_synsets().keys()
    unstated = recipe.license == UNSTATED
    return ClassifierSpec(
        model=recipe.model,
        config=model.config.to_dict(),
        folders=data.wnids,
        names=data.names,
        normalization=Normalization(recipe.mean, recipe.std),
        view=EvaluationView(recipe.eval_size, recipe.crop_share or None),
        license=_IMAGENET_TERMS if imagenet and unstated else recipe.license,
    )


def _measure(recipe: ClassifyRecipe, data: ImageFolder, processes: int) -> StepTiming:
    """Time a few steps of one process's share, and what a validation takes; forget the weights."""
    share = max(2, recipe.batch_size // processes // 2 * 2)
    repeats = recipe.repeats if share % recipe.repeats == 0 else 1
    small = recipe.model_copy(update={"batch_size": share, "repeats": repeats})
    model = build_classifier(small, len(data.wnids))
    learner = _build_learner(small, data, Processes.alone(), model)
    clock = time.perf_counter()
    seconds = []
    for step, batch in enumerate(learner.batches(0)):
        learner.learn(step, batch)
        seconds.append(time.perf_counter() - clock)
        clock = time.perf_counter()
    val = data.splits["val"]
    count = min(TIMED_PHOTOS, len(val))
    score_split(learner, ImageSplit(val.root, val.files[:count], val.labels[:count]))
    validation_s = (time.perf_counter() - clock) * len(val) / count / processes
    return StepTiming(statistics.median(seconds[1:]), validation_s)


def _describe(data: ImageFolder) -> str:
    counts = ", ".join(f"{len(part):,} {split}" for split, part in data.splits.items())
    return f"{len(data.wnids)} classes, photos: {counts}"


def _format(recipe: ClassifyRecipe, choices: tuple[Choice, ...]) -> str:
    reasons = {choice.option: choice.because for choice in choices}
    options = recipe.model_dump(mode="json").items()
    return format_choices([Choice(name, value, reasons.get(name, "")) for name, value in options])


def _choose_directory(config: ClassifyConfig, out: str | Path | None) -> Path:
    name = f"{config.data.resolve().stem}-{config.model}"
    directory = Path(out) if out is not None else next_run_folder(Path("runs"), name)
    if (directory / CHECKPOINT).exists():
        msg = f"{directory} holds a run already; go on with --resume {directory}, or choose --out"
        raise TrainingError(msg)
    return directory
