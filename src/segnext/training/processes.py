"""Which of the run's processes this one is, and how they agree.

One process unless the command was started by `torchrun` or `accelerate launch`. Everything here is
exact in any number of processes: sums of counts, not means of means.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from accelerate import PartialState
from torch import Tensor, distributed

from segnext.errors import SegnextError

_Value = TypeVar("_Value")


class Processes:
    """The processes of a run.

    Args:
        cpu: Compute on the CPU (gloo) even where there is a GPU.

    Attributes:
        rank: Number of this process, from 0.
        count: Number of processes.
        device: Of this process.
    """

    def __init__(self, *, cpu: bool = False) -> None:
        state = PartialState(cpu=cpu) if "WORLD_SIZE" in os.environ else None
        self.rank = state.process_index if state else 0
        self.count = state.num_processes if state else 1
        self.device: torch.device = state.device if state else torch.device("cpu")

    @classmethod
    def alone(cls) -> "Processes":
        """Return this process as the only one, even where there are others."""
        processes = cls.__new__(cls)
        processes.rank, processes.count, processes.device = 0, 1, torch.device("cpu")
        return processes

    @property
    def is_main(self) -> bool:
        """Tell whether this process writes and speaks for all."""
        return self.rank == 0

    def share(self, total: int) -> range:
        """Return this process's part of `total` things: whole, disjoint, as even as can be."""
        return range(total * self.rank // self.count, total * (self.rank + 1) // self.count)

    def sum(self, values: Tensor) -> Tensor:
        """Add up a tensor over all processes; every process gets the total."""
        if self.count > 1:
            values = values.clone()
            distributed.all_reduce(values)
        return values

    def join(self, texts: Sequence[str]) -> list[str]:
        """Return the texts of all processes, in their order; every process gets them."""
        count = self.sum(torch.tensor(len(texts), device=self.device)).item()
        if self.count == 1 or not count:
            return list(texts)
        box: list[Any] = [None] * self.count
        distributed.all_gather_object(box, list(texts))
        return [text for part in box for text in part]

    def once(self, make: Callable[[], _Value]) -> _Value:
        """Let the main process make something, and give it to all.

        What goes wrong there goes wrong in every process, so that none waits for the others.
        """
        if self.count == 1:
            return make()
        made: _Value | SegnextError | None = None
        if self.is_main:
            try:
                made = make()
            except SegnextError as error:
                made = error
        return self._tell(made)

    def _tell(self, value: _Value | SegnextError | None) -> _Value:
        box: list[Any] = [value]
        distributed.broadcast_object_list(box, src=0)
        if isinstance(box[0], SegnextError):
            raise box[0]
        told: _Value = box[0]
        return told
