"""The plan of a run: the data's fingerprint, every option, and why it was chosen."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from segnext.data import Folder, open_folder
from segnext.data.checkup import Finding, Severity, quick_check
from segnext.data.fingerprint import Fingerprint, take_fingerprint
from segnext.data.folds import select_fold
from segnext.errors import DataError, UsageError, WeightsError, describe_unknown
from segnext.inference.protocols import named_protocol
from segnext.models import configure
from segnext.spec import Normalization, Protocol
from segnext.storage import write_atomically
from segnext.training.config import Recipe, TrainConfig, build_config
from segnext.training.learner import build_recipe_loss
from segnext.training.measure import StepMeter
from segnext.training.processes import Processes
from segnext.training.rules import RULES
from segnext.training.situation import Choice, Situation
from segnext.weights import find_pretrained, find_weights

PLAN_FILE = "plan.yaml"
FINGERPRINT_FILE = "fingerprint.json"


@dataclass(frozen=True)
class Plan:
    """Every choice of a run, before it starts.

    Attributes:
        recipe: Every option, resolved.
        choices: Those that were made for the user, with their reasons.
        fingerprint: What the data are like.
        notes: What else a user must know, a line each.
    """

    recipe: Recipe
    choices: tuple[Choice, ...]
    fingerprint: Fingerprint
    notes: tuple[str, ...] = ()

    def save(self, directory: str | Path, *, overwrite: bool = False) -> Path:
        """Write `fingerprint.json` and `plan.yaml`, which may be edited and given to a training.

        Args:
            directory: Where to; made if missing.
            overwrite: Replace a plan that is there, with what was edited in it.

        Returns:
            The path of `plan.yaml`.

        Raises:
            UsageError: A plan is there and `overwrite` is not set.
        """
        path = Path(directory) / PLAN_FILE
        if path.exists() and not overwrite:
            msg = f"{path}: is there already; choose another --out, or --overwrite it"
            raise UsageError(msg)
        self.save_fingerprint(path.with_name(FINGERPRINT_FILE))
        write_atomically(path, format_recipe(self.recipe, self.choices).encode())
        return path

    def save_fingerprint(self, path: Path) -> None:
        """Write the fingerprint as JSON."""
        write_atomically(path, (json.dumps(self.fingerprint.to_dict(), indent=1) + "\n").encode())


def plan(data: str | Path, **options: Any) -> Plan:
    """Look at a data set and this machine, and choose every option of a training run.

    Args:
        data: Folder or data.yaml; see `segnext.data.open_folder` for the layouts understood.
        **options: Fields of `TrainConfig` that are decided already.

    Raises:
        UsageError: An option is unknown or out of range.
        DataError: The data cannot be used; says what, where and what to do.
    """
    config = build_config({"data": Path(data), **options})
    check_model(config)
    return make_plan(config, open_training_data(config), Processes.alone())


def make_plan(config: TrainConfig, data: Folder, processes: Processes) -> Plan:
    """Fill in every blank of a configuration.

    Raises:
        UsageError: A value that was given cannot be used with this data or machine.
    """
    config, notes = _resolve_start(config)
    fingerprint = take_fingerprint(data, nodata=config.nodata)
    situation = Situation(config, fingerprint, StepMeter(data, processes), processes.count)
    choices: list[Choice] = []
    for rule in RULES:
        for choice in rule(situation):
            if not situation.gave(choice.option):
                situation.chosen[choice.option] = choice.value
                choices.append(choice)
    recipe = situation.recipe()
    check_recipe(recipe, fingerprint, processes.count)
    return Plan(recipe, tuple(choices), fingerprint, notes)


def check_model(config: TrainConfig) -> None:
    """Refuse a wrong model or protocol before any work.

    Raises:
        UsageError: A name or one of the options is unknown.
    """
    configure(config.model, num_classes=1, **config.model_options)
    if config.protocol is not None:
        named_protocol(config.protocol, None)


def open_training_data(config: TrainConfig) -> Folder:
    """Open the data of a run, with the splits of its fold, after a quick check-up.

    What the check-up warns of is added to the notes.

    Raises:
        DataError: The data cannot be used; says what, where and what to do.
    """
    data = open_folder(
        config.data,
        group=config.group,
        ignore_index=config.ignore_index,
        split_seed=config.split_seed,
        format=config.format,
    )
    data = data.choose_splits(train=config.train_split, val=config.val_split)
    if config.folds:
        data = select_fold(data, folds=config.folds, fold=config.fold, seed=config.split_seed)
    findings = quick_check(data)
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        more = "; segnext data check lists everything" if _say_more(errors) else ""
        msg = f"{errors[0].title}{more}"
        raise DataError(msg)
    return replace(data, notes=[*data.notes, *(finding.title for finding in findings)])


def _say_more(errors: Sequence[Finding]) -> bool:
    return len(errors) > 1 or errors[0].count > 1


def check_recipe(recipe: Recipe, data: Fingerprint, processes: int) -> None:
    """Refuse a recipe, such as an edited plan, that does not fit its data or itself.

    Raises:
        UsageError: Names the option, its value and what it should be.
    """
    Normalization(recipe.mean, recipe.std, low=recipe.low, high=recipe.high, nodata=recipe.nodata)
    if len(recipe.mean) != data.channels:
        msg = f"mean has {len(recipe.mean)} entries, but pictures have {data.channels} channels"
        raise UsageError(msg)
    if recipe.batch_size == 1 and recipe.crop_size == (32, 32):
        msg = "a batch of one 32x32 crop leaves nothing for batch statistics; use a larger crop"
        raise UsageError(msg)
    check_batch(recipe, processes)
    Protocol(window=recipe.window, stride=recipe.stride)
    if recipe.protocol is not None and recipe.window is not None:
        msg = (
            f"protocol {recipe.protocol} and window {recipe.window} px both say how pictures are "
            f"seen; give one of them"
        )
        raise UsageError(msg)
    names = [entry.name for entry in data.classes]
    for name in recipe.rare_classes:
        if name not in names:
            raise UsageError(describe_unknown("class in rare_classes", name, names))
    if recipe.unlabelled and recipe.teacher is None:
        msg = f"unlabelled pictures in {recipe.unlabelled} need a teacher; give --teacher"
        raise UsageError(msg)
    if recipe.average_best and recipe.keep_best < 2:
        msg = "average_best takes the mean of several weights; set keep_best to 2 or more"
        raise UsageError(msg)
    build_recipe_loss(recipe, ignore_index=255)


def check_batch(recipe: Recipe, processes: int) -> None:
    """Refuse more processes and parts than a batch has pictures.

    Raises:
        UsageError: Names the numbers.
    """
    if recipe.batch_size < processes * recipe.accumulate:
        msg = (
            f"batch_size {recipe.batch_size} is too small for {processes} processes of "
            f"{recipe.accumulate} parts each; raise it or lower accumulate"
        )
        raise UsageError(msg)


def format_recipe(recipe: Recipe, choices: Sequence[Choice]) -> str:
    """Write every option as a line of YAML; chosen ones carry their reason as a comment."""
    reasons = {choice.option: choice.because for choice in choices}
    options = recipe.model_dump(mode="json").items()
    return format_choices([Choice(name, value, reasons.get(name, "")) for name, value in options])


def format_choices(choices: Sequence[Choice]) -> str:
    """Write options as lines of YAML, with their reason as a comment where there is one."""
    lines = []
    for choice in choices:
        value = list(choice.value) if isinstance(choice.value, tuple) else choice.value
        text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000)
        line = f"{choice.option}: {text.splitlines()[0]}"
        lines.append(f"{line}  # {choice.because}" if choice.because else line)
    return "\n".join(lines) + "\n"


def _resolve_start(config: TrainConfig) -> tuple[TrainConfig, tuple[str, ...]]:
    """Find the weights to start from; without published ones, start from scratch and say so."""
    if config.encoder is not None:
        if config.init != "pretrained":
            msg = f"init {config.init} and encoder {config.encoder} both give an encoder; drop one"
            raise UsageError(msg)
        return config.model_copy(update={"encoder": str(find_weights(config.encoder))}), ()
    if config.init == "none":
        return config, ()
    if config.init != "pretrained":
        return config.model_copy(update={"init": str(find_weights(config.init))}), ()
    try:
        found = find_pretrained(config.model)
    except WeightsError as error:
        lacking = f"the pretrained encoder of {config.model} is not here: {error}"
        note = f"STARTING FROM SCRATCH, {lacking}"
        return config.model_copy(update={"init": "none"}), (note,)
    return config.model_copy(update={"init": str(found)}), ()
