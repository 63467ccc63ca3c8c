"""Backends that behave in every way a benchmark must bear, for its tests.

A module of its own, so that the process that measures memory can import it.
"""

import os
from typing import Any

import torch
from torch import Tensor


class Steady:
    """Works: labels of zeros, or logits of zeros at stride 8."""

    name = "steady"
    device = torch.device("cpu")
    channels = 3
    pixels = False
    held_mb = 0

    def __init__(self, source: Any) -> None:
        self.source = source

    @classmethod
    def missing(cls) -> str | None:
        return None

    def run(self, images: Tensor, output: str = "logits") -> Tensor:
        assert images.dtype == torch.float32
        torch.ones(self.held_mb * 250_000)
        batch, _, height, width = images.shape
        if output == "labels":
            return torch.zeros(batch, height, width, dtype=torch.int64)
        return torch.zeros(batch, 3, height // 8, width // 8)


class Hungry(Steady):
    name = "hungry"
    held_mb = 200


class Absent(Steady):
    @classmethod
    def missing(cls) -> str | None:
        return 'absent needs pip install "segnext[absent]"'


class Unopenable(Steady):
    def __init__(self, source: Any) -> None:
        raise RuntimeError("cannot be opened\nand a long story")


class Failing(Steady):
    name = "failing"

    def run(self, images: Tensor, output: str = "logits") -> Tensor:
        raise MemoryError


FAKES = {
    "steady": Steady,
    "hungry": Hungry,
    "absent": Absent,
    "unopenable": Unopenable,
    "failing": Failing,
}


def open_fake(source: Any, *, backend: str, **options: Any) -> Steady:
    assert set(options) == {"device", "threads", "precision"}
    return FAKES["steady" if backend == "auto" else backend](source)


def die() -> None:
    """Leave a process as the system does when memory is short."""
    os._exit(9)
