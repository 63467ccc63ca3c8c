"""The full state of a run in one safetensors file: no pickle, written all or nothing."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from segnext.errors import TrainingError
from segnext.parsing import parse_json
from segnext.storage import write_atomically
from segnext.training.sharding import cut_like, gather, load_whole

_KEY = "segnext_run"


@dataclass
class RunProgress:
    """Where any run stands.

    Attributes:
        step: Optimizer steps done.
        best_step: Step of the best validation.
        elapsed_s: Wall time of training so far, in seconds.
        log_bytes: Length of metrics.jsonl that belongs to these steps.
        stale: Validations since the best one.
        finished: Nothing is left to do.
        unlogged: Loss, norm of the gradients and seconds of the steps since the last log line.
        skipped_steps: Steps in a row, up to this one, whose loss or gradients were not finite.
    """

    step: int = 0
    best_step: int = 0
    elapsed_s: float = 0.0
    log_bytes: int = 0
    stale: int = 0
    finished: bool = False
    unlogged: list[list[float]] = field(default_factory=list)
    skipped_steps: int = 0


@dataclass
class Progress(RunProgress):
    """Where a run of `segnext train` stands.

    Attributes:
        best_miou: Best validation mIoU so far, 0-1; -1 before the first validation.
        last_miou: Of the latest validation; -1 before the first.
        kept: mIoU and step of the best validations, the best first.
        skipped_samples: Samples whose picture or mask could not be read.
    """

    best_miou: float = -1.0
    last_miou: float = -1.0
    kept: list[list[float]] = field(default_factory=list)
    skipped_samples: int = 0


_Stand = TypeVar("_Stand", bound=RunProgress)


def write_checkpoint(
    path: Path,
    *,
    model: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    progress: RunProgress,
    recipe: Mapping[str, Any],
    is_main: bool = True,
) -> None:
    """Write everything a resumed run needs, to a temporary name first.

    The file is the same with sharded and with whole weights. Where they are sharded every process
    must call this.

    Args:
        path: Replaced in one move once the new file is safely on disk.
        model: The model in training.
        average: Its moving average.
        optimizer: AdamW over `model`'s parameters.
        scaler: Of fp16 gradients; empty for other precisions.
        progress: Where the run stands.
        recipe: The resolved configuration, JSON-ready.
        is_main: Whether this process writes; others only give their parts.
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.state_dict().items()}
    for name, parameter in model.named_parameters():
        for entry, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer.{entry}.{name}"] = value
    stored = {}
    for name, value in tensors.items():
        whole = gather(value.detach())
        if is_main:  # one whole tensor at a time elsewhere
            stored[name] = whole.cpu().contiguous()
    if not is_main:
        return
    about = {"progress": asdict(progress), "recipe": dict(recipe), "scaler": scaler.state_dict()}
    write_atomically(path, save(stored, {"format": "pt", _KEY: json.dumps(about)}))


def read_about(path: Path) -> tuple[Progress, dict[str, Any]]:
    """Read where a checkpoint of `segnext train` stands; see `read_stand`."""
    return read_stand(path, Progress)


def read_stand(path: Path, kind: type[_Stand]) -> tuple[_Stand, dict[str, Any]]:
    """Read where a checkpoint stands and its resolved configuration, without its tensors.

    Args:
        path: The checkpoint.
        kind: Of the run.

    Raises:
        TrainingError: The file is missing or is no checkpoint of ours.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = parse_json((file.metadata() or {})[_KEY])
        stand, recipe = about["progress"], about["recipe"]
        if stand.keys() - {entry.name for entry in fields(kind)}:
            msg = f"{path}: is of another kind of run; resume it with the command that began it"
            raise TrainingError(msg)
        found = kind(**stand)
        _check_types(found, kind())
        return found, recipe
    except FileNotFoundError as error:
        msg = f"{path}: no checkpoint there; start the run anew with the same --out"
        raise TrainingError(msg) from error
    except (SafetensorError, OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        msg = f"{path}: not a checkpoint of a segnext run, or damaged ({error})"
        raise TrainingError(msg) from error


def _check_types(found: RunProgress, usual: RunProgress) -> None:
    """Refuse values of another type than the defaults have.

    Raises:
        TypeError: Names the field.
    """
    for entry in fields(found):
        value, default = getattr(found, entry.name), getattr(usual, entry.name)
        valid = int | float if isinstance(default, float) else type(default)
        if not isinstance(value, valid):
            msg = f"{entry.name} is {value!r}"
            raise TypeError(msg)


def restore_checkpoint(
    path: Path,
    *,
    model: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
) -> None:
    """Load a checkpoint's tensors into the objects of a new process.

    Raises:
        TrainingError: The tensors are not those of this model.
    """
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        scales = json.loads(file.metadata()[_KEY]).get("scaler")
    if scales:
        scaler.load_state_dict(scales)
    try:
        load_whole(model, _part(tensors, "model."))
        load_whole(average, _part(tensors, "average."))
    except RuntimeError as error:
        msg = f"{path}: was written for another model: {str(error).splitlines()[-1].strip()}"
        raise TrainingError(msg) from error
    entries = _part(tensors, "optimizer.")
    for name, parameter in model.named_parameters():
        state = {
            entry: value if entry == "step" else cut_like(value, parameter)
            for entry in ("step", "exp_avg", "exp_avg_sq")
            if (value := entries.get(f"{entry}.{name}")) is not None
        }
        if state:
            optimizer.state[parameter] = state


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
