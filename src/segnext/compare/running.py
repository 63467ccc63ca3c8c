"""Trains every system with every seed; what is done is kept, what was interrupted goes on.

OUT/runs/<system>/seed_<n>/        a run folder, as `segnext train` leaves it
OUT/runs/<system>/seed_<n>/asked.json     what it was told, before it is trained
OUT/runs/<system>/seed_<n>/result.json    what it gave
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from segnext.compare.config import CompareConfig, System
from segnext.errors import TrainingError
from segnext.parsing import parse_json
from segnext.storage import write_atomically
from segnext.training.run_files import CHECKPOINT

ASKED, RESULT = "asked.json", "result.json"
Run = TypeVar("Run")  # what a training returns


@dataclass(frozen=True)
class SystemRun:
    """What one training of a system gave.

    Attributes:
        system: Its name.
        seed: Of the training.
        weights: Of the best validation, below the comparison's folder.
        scores: In percent, by name.
        curve: Step and score in percent of every validation.
        steps: Optimizer steps done.
        seconds: Of training.
        told: What tells this training from others: model and options.
        report: The page that explains the score, below the comparison's folder; `None` for
            classifiers.
    """

    system: str
    seed: int
    weights: str
    scores: dict[str, float]
    curve: list[tuple[int, float]]
    steps: int
    seconds: float
    told: dict[str, Any]
    report: str | None = None


class Trainer(Protocol):
    """How a task is trained and scored."""

    def train(self, folder: Path, config: CompareConfig, system: System, seed: int) -> SystemRun:
        """Train a system, or go on with what lies in its folder, and score the result."""


def run_systems(
    config: CompareConfig,
    out: Path,
    trainer: Trainer,
    *,
    on_run: Callable[[str, int, bool], None] = lambda _system, _seed, _kept: None,
) -> list[SystemRun]:
    """Train all systems: every system with the first seed, then with the second, and so on.

    Args:
        config: What is compared.
        out: Folder of the comparison.
        trainer: Of the config's task.
        on_run: Told the system, the seed, and whether the run is kept from before.

    Raises:
        TrainingError: A kept or interrupted run was trained with other options.
        SegnextError: Whatever training raises.
    """
    runs = []
    for seed in config.seeds:
        for system in config.trained:
            folder = run_folder(out, system, seed)
            kept = _find_kept(folder, config, system)
            on_run(system.name, seed, kept is not None)
            if kept is None:
                _note(folder, config, system)
                kept = trainer.train(folder, config, system, seed)
                write_atomically(folder / RESULT, (json.dumps(asdict(kept)) + "\n").encode())
            runs.append(kept)
    return runs


def find_runs(config: CompareConfig, out: Path) -> list[SystemRun]:
    """Return the runs that are done.

    Raises:
        TrainingError: One of them was trained with other options.
    """
    runs = []
    for system in config.trained:
        for seed in config.seeds:
            kept = _find_kept(run_folder(out, system, seed), config, system)
            if kept is not None:
                runs.append(kept)
    return runs


def _find_kept(folder: Path, config: CompareConfig, system: System) -> SystemRun | None:
    kept = read_run(folder)
    if kept is not None:
        check_same(kept.told, system, config, folder)
    return kept


def _note(folder: Path, config: CompareConfig, system: System) -> None:
    """Write down what a run is told; one that was interrupted has to have been told the same."""
    path = folder / ASKED
    if path.is_file() and (folder / CHECKPOINT).exists():
        check_same(_read_json(path), system, config, folder)
    write_atomically(path, (json.dumps(tell(system, config)) + "\n").encode())


def train_or_resume(
    train: Callable[..., Run],
    folder: Path,
    config: CompareConfig,
    system: System,
    seed: int,
    *,
    quiet: bool,
) -> Run:
    """Train a system, or go on with what lies in its folder.

    Args:
        train: `segnext.training.train` or `segnext.classification.train`.
        folder: Of the run.
        config: Has the options that all share.
        system: Has the model, and options of its own.
        seed: Of the training.
        quiet: Print nothing.

    Raises:
        SegnextError: Whatever training raises.
    """
    if (folder / CHECKPOINT).exists():
        return train(resume=folder, quiet=quiet)
    given: dict[str, Any] = {**config.options, **system.options}
    options = {**given.pop("model_options", {}), **system.model_options}
    return train(
        config.data,
        out=folder,
        quiet=quiet,
        model=system.model,
        model_options=options,
        seed=seed,
        **given,
    )


def run_folder(out: Path, system: System, seed: int) -> Path:
    """Return the run folder of a system and a seed."""
    return out / "runs" / system.folder / f"seed_{seed}"


def read_run(folder: Path) -> SystemRun | None:
    """Read what a finished run gave; `None` if there is none.

    Raises:
        TrainingError: The file is damaged.
    """
    path = folder / RESULT
    if not path.is_file():
        return None
    data = _read_json(path)
    try:
        data["curve"] = [(int(step), float(score)) for step, score in data["curve"]]
        return SystemRun(**data)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise TrainingError(_damaged(path, error)) from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(_damaged(path, error)) from error
    if not isinstance(data, dict):
        raise TrainingError(_damaged(path, f"holds {type(data).__name__}"))
    return data


def _damaged(path: Path, reason: object) -> str:
    return f"{path}: damaged ({reason}); remove its folder, and the system is trained anew"


def tell(system: System, config: CompareConfig) -> dict[str, Any]:
    """Return what tells a training from others, as JSON has it."""
    options = {**config.options, **system.options}
    told = {
        "model": system.model,
        "model_options": system.model_options,
        "options": options,
        "data": None if config.data is None else str(config.data.resolve()),
        "split": config.split,
    }
    same: dict[str, Any] = json.loads(json.dumps(told, default=str))
    return same


def check_same(
    then: Mapping[str, Any], system: System, config: CompareConfig, folder: Path
) -> None:
    """Refuse to put a run beside others that it cannot be compared with.

    Args:
        then: What it was told.
        system: As it is now.
        config: As it is now.
        folder: Of the run.

    Raises:
        TrainingError: Names the first difference.
    """
    difference = _first_difference(tell(system, config), then)
    if difference is not None:
        msg = (
            f"{folder}: was trained with {difference}; remove it to train anew, or choose another "
            f"--out"
        )
        raise TrainingError(msg)


def _first_difference(now: Mapping[str, Any], then: Mapping[str, Any]) -> str | None:
    for name in now:
        if now[name] == then.get(name):
            continue
        if isinstance(now[name], dict) and isinstance(then.get(name), dict):
            for key in sorted(now[name].keys() | then[name].keys()):
                ours, theirs = now[name].get(key), then[name].get(key)
                if ours != theirs:
                    return f"{key} {theirs!r}, not {ours!r}"
        return f"{name} {then.get(name)!r}, not {now[name]!r}"
    return None
