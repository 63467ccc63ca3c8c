"""AdamW groups and the learning-rate schedule."""

import re
from typing import Any, Literal

import torch
from torch import nn

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


def build_optimizer(
    model: nn.Module,
    *,
    learning_rate: float,
    decoder_lr_factor: float,
    weight_decay: float,
    groups: Literal["ours", "authors"] = "ours",
) -> torch.optim.AdamW:
    """Build AdamW over a `SegNeXt`, each parameter in exactly one of up to four groups.

    Each group keeps its full learning rate as `initial_lr`, on which `set_learning_rate` acts.
    """
    sorted_groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        lr = learning_rate * (decoder_lr_factor if name.startswith("decoder.") else 1.0)
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
