"""What is kept of a step whose loss or gradients are not finite."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor

from segnext.storage import write_atomically


@dataclass(frozen=True)
class Divergence:
    """A step that gave no finite loss or gradients.

    Attributes:
        step: Its number, from 0.
        loss: Of the whole batch.
        gradient_norm: Of all gradients together.
        pictures: Names of those that the whole batch shows.
    """

    step: int
    loss: float
    gradient_norm: float
    pictures: tuple[str, ...]

    @property
    def record(self) -> dict[str, Any]:
        """Everything, JSON-ready: numbers that are not finite as text."""
        return {
            "step": self.step,
            "loss": self.loss if math.isfinite(self.loss) else str(self.loss),
            "gradient_norm": str(self.gradient_norm),
            "pictures": list(self.pictures),
        }

    def describe(self) -> str:
        """Return what is not finite and on which pictures, in a few words."""
        if math.isfinite(self.loss):
            what = f"norm of the gradients is {self.gradient_norm}"
        else:
            what = f"loss is {self.loss}"
        return f"step {self.step}: the {what} on {', '.join(self.pictures[:4])}"


def keep_divergence(divergence: Divergence, path: Path) -> None:
    """Write a divergence as JSON, in place of an earlier one.

    Raises:
        SegnextError: The disk or its permissions refuse.
    """
    write_atomically(path, json.dumps(divergence.record, indent=1).encode())


def keep_batch(batch: Any, path: Path) -> None:
    """Write the tensors of a batch, as the network got them, in place of an earlier one.

    Args:
        batch: Tensors are its attributes: `images` (B, C, h, w), normalised, and `masks` (B, h, w)
            of train ids or `labels` (B,).
        path: A .safetensors file.

    Raises:
        SegnextError: The disk or its permissions refuse.
    """
    tensors = {
        name: value.cpu().contiguous()
        for name, value in vars(batch).items()
        if isinstance(value, Tensor)
    }
    write_atomically(path, save(tensors))
