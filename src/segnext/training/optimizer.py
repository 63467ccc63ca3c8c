"""AdamW groups and the learning-rate schedule."""

import re
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import nn

from segnext.errors import UsageError, describe_unknown

WARMUP_START = 1e-6
BETAS = (0.9, 0.999)

# Parameters whose names hold "norm" in the authors' code. Their stem and their decoder keep norms
# under other names, so those are decayed there, as are layer scales and biases.
_AUTHORS_SPARE = re.compile(
    r"encoder\.stages\.(\d+\.(blocks\.\d+\.norm[12]|norm)|[123]\.downsample\.1)\."
)


def is_decayed(name: str, parameter: nn.Parameter, groups: Literal["ours", "authors"]) -> bool:
    """Tell whether weight decay applies to a parameter of a `SegNeXt`.

    Ours spares everything of one dimension: norms, layer scales and biases.
    """
    if groups == "authors":
        return _AUTHORS_SPARE.match(name) is None
    return parameter.ndim > 1


def freeze_parameters(model: nn.Module, starts: Sequence[str]) -> None:
    """Leave the parameters whose names start with one of `starts` as they are.

    Raises:
        UsageError: A start fits no parameter, or all are frozen.
    """
    names = [name for name, _ in model.named_parameters()]
    for start in starts:
        if not any(name.startswith(start) for name in names):
            parts = sorted({".".join(name.split(".")[:3]) for name in names})
            raise UsageError(describe_unknown("part to freeze", start, parts))
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not name.startswith(tuple(starts)))
    if not any(parameter.requires_grad for parameter in model.parameters()):
        msg = f"freeze: {', '.join(starts)} leaves nothing to train"
        raise UsageError(msg)


def set_training_mode(model: nn.Module, starts: Sequence[str]) -> None:
    """Put a model in training mode, but for the batch norms of frozen parts.

    Their statistics belong to the frozen weights and stay as they are too.
    """
    model.train()
    for name, module in model.named_modules():
        if isinstance(module, nn.BatchNorm2d) and starts and name.startswith(tuple(starts)):
            module.eval()


def layer_depth(name: str, depths: Sequence[int]) -> int:
    """Count the encoder's blocks from a parameter of a `SegNeXt` to the decoder, its own included.

    The stem and the downsampling before a stage count with its first block, the stage's norm with
    its last; the decoder's parameters count 0.
    """
    match = re.match(r"encoder\.stages\.(\d+)\.(downsample|blocks|norm)\.(\w+)", name)
    if match is None:
        return 0
    stage, part, block = int(match[1]), match[2], match[3]
    done = {"downsample": 0, "blocks": int(block) if part == "blocks" else 0}
    return sum(depths[stage:]) - done.get(part, depths[stage] - 1)


def build_optimizer(
    model: nn.Module,
    *,
    learning_rate: float,
    decoder_lr_factor: float,
    weight_decay: float,
    groups: Literal["ours", "authors"] = "ours",
    layer_decay: float = 1.0,
    depths: Sequence[int] = (),
) -> torch.optim.AdamW:
    """Build AdamW over what is trained of a `SegNeXt`, each parameter in exactly one group.

    Each group keeps its full learning rate as `initial_lr`, on which `set_learning_rate` acts.

    Args:
        model: Whose parameters with `requires_grad` are taken.
        learning_rate: Of the encoder.
        decoder_lr_factor: Of the decoder over the encoder.
        weight_decay: Of the parameters that are decayed.
        groups: See `is_decayed`.
        layer_decay: Factor on the encoder's rate per block further from the decoder (Clark et
            al., arXiv 2003.10555, section 3.1, and later vision recipes).
        depths: Blocks of each stage, for `layer_decay`.

    Raises:
        UsageError: `layer_decay` without `depths`.
    """
    if layer_decay != 1.0 and not depths:
        msg = f"layer_decay {layer_decay} needs to know the encoder's blocks, as SegNeXt's; use 1"
        raise UsageError(msg)
    sorted_groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        lr = learning_rate * (decoder_lr_factor if name.startswith("decoder.") else 1.0)
        if layer_decay != 1.0:
            lr *= layer_decay ** layer_depth(name, depths)
        decay = weight_decay if is_decayed(name, parameter, groups) else 0.0
        sorted_groups.setdefault((lr, decay), []).append(parameter)
    described: list[dict[str, Any]] = [
        {"params": parameters, "lr": lr, "initial_lr": lr, "weight_decay": decay}
        for (lr, decay), parameters in sorted_groups.items()
    ]
    return torch.optim.AdamW(described, lr=learning_rate, betas=BETAS)


def schedule_factor(step: int, *, max_steps: int, warmup_steps: int, poly_power: float) -> float:
    """Return the factor on the learning rate at a step: polynomial decay times linear warm-up.

    Args:
        step: Optimizer step, from 0.
        max_steps: At which the rate would reach 0.
        warmup_steps: Over which the warm-up factor grows from 1e-6 to 1.
        poly_power: Exponent of the decay.
    """
    decay = max(0.0, 1.0 - step / max_steps) ** poly_power
    if step >= warmup_steps:
        return float(decay)
    warmup = WARMUP_START + (1.0 - WARMUP_START) * step / warmup_steps
    return float(decay * warmup)


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set every group's learning rate to `factor` times its full one."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor
