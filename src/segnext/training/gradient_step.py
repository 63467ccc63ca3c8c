"""One optimizer step from the losses of a batch's parts, in one process or many."""

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from segnext.training.average import WeightAverage
from segnext.training.processes import Processes
from segnext.training.sharding import gather, local_part


@dataclass(frozen=True)
class StepResult:
    """What one optimizer step gave, the same in every process.

    Attributes:
        loss: Of the whole batch.
        gradient_norm: Euclidean norm of all gradients, before clipping.
        finite: Whether both are; weights and batch statistics only move if so.
    """

    loss: float
    gradient_norm: float
    finite: bool


class GradientStep:
    """Backward passes, clipping, optimizer and moving average.

    Args:
        model: Whose weights move.
        objective: What gives the losses: the model and more, wrapped for several processes.
        optimizer: Over the model's parameters.
        scaler: Keeps small gradients above zero in fp16; does nothing otherwise.
        averaging: Moves the average of the weights.
        accelerator: That wrapped the objective.
        processes: Those that train together.
        clip_norm: Largest norm of all gradients together; 0 does not clip.
        sharded: Weights are cut over the processes.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        objective: nn.Module,
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        averaging: WeightAverage,
        accelerator: Accelerator,
        processes: Processes,
        clip_norm: float,
        sharded: bool,
    ) -> None:
        self._model = model
        self._objective = objective
        self._optimizer = optimizer
        self._scaler = scaler
        self._averaging = averaging
        self._accelerator = accelerator
        self._processes = processes
        self._clip_norm = clip_norm
        self._sharded = sharded
        # Batch statistics, which a forward pass moves before anyone knows whether it was finite.
        self._statistics = list(model.buffers())
        self._before = [buffer.clone() for buffer in self._statistics]

    def take(self, step: int, losses: Sequence[Callable[[], Tensor]]) -> StepResult:
        """Do optimizer step number `step` and move the average.

        Args:
            step: From 0.
            losses: One for each part of this process's share; over all parts and processes they
                add up to the loss of the batch.
        """
        processes, scaler = self._processes, self._scaler
        self._optimizer.zero_grad(set_to_none=True)
        torch._foreach_copy_(self._before, self._statistics)
        total = torch.zeros((), device=self._accelerator.device)
        for number, compute in enumerate(losses):
            last = number == len(losses) - 1
            # Sharded gradients are summed up part by part: kept whole they would take the memory
            # that was to be saved.
            unsynced = not last and processes.count > 1 and not self._sharded
            with self._accelerator.no_sync(self._objective) if unsynced else nullcontext():
                loss = compute()
                # The wrapper averages gradients over processes; their sum is what is wanted.
                scaled: Tensor = scaler.scale(loss * processes.count)
                scaled.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        loss_value = processes.sum(total).item()
        scaler.unscale_(self._optimizer)
        norm = self._clip().item()
        # In fp16 a norm may overflow now and then: the scaler skips that step and scales less.
        finite = math.isfinite(loss_value) and (math.isfinite(norm) or scaler.is_enabled())
        if finite:
            scaler.step(self._optimizer)
            scaler.update()
            self._averaging.update(self._model, step)
        else:
            torch._foreach_copy_(self._statistics, self._before)
        return StepResult(loss_value, norm, finite)

    def _clip(self) -> Tensor:
        gradients = [p.grad for p in self._model.parameters() if p.grad is not None]
        norm = gather(torch.nn.utils.get_total_norm(gradients))
        if self._clip_norm:
            factor = (self._clip_norm / (norm + 1e-6)).clamp(max=1.0)
            torch._foreach_mul_([local_part(gradient) for gradient in gradients], factor)
        return norm


def split_evenly(count: int, parts: int) -> list[slice]:
    """Cut `count` samples into parts: whole, disjoint, as even as can be."""
    return [slice(count * part // parts, count * (part + 1) // parts) for part in range(parts)]
