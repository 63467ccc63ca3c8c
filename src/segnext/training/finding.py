"""Trials before a run: the learning rate at which the loss falls, and the largest batch that fits.

`find_lr` is the range test of Smith (Cyclical Learning Rates for Training Neural Networks,
arXiv 1506.01186, 2015, section 3.3): the rate grows by the same factor at every step while the loss
is watched. Neither trial keeps the weights.
"""

import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from segnext.errors import TrainingError
from segnext.storage import write_atomically
from segnext.training.config import Recipe
from segnext.training.learner import Learner, build_learner
from segnext.training.measure import StepMeter, free_memory
from segnext.training.processes import Processes

LOWEST_RATE, HIGHEST_RATE = 1e-7, 1.0
# A loss of this many times the lowest one has left for good.
_DIVERGED = 4.0
_SMOOTHING = 0.9
_MOST_PICTURES = 1024
# Of what is free; the rest is for what comes and goes within an operation.
_USABLE = 0.8


@dataclass(frozen=True)
class LrRange:
    """What the range test found.

    Attributes:
        rates: Learning rate of the encoder at each step.
        losses: Of each step's batch.
        smoothed: Their exponential mean, without bias towards the start.
        steepest: The rate at which the smoothed loss falls fastest: the suggestion.
        lowest: The rate of the lowest smoothed loss; already too high for a training.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    steepest: float
    lowest: float


def run_range_test(learner: Learner, report: Callable[[int], None] = lambda step: None) -> LrRange:
    """Train with a growing learning rate until the loss diverges or the steps are over.

    Args:
        learner: Of a recipe whose `max_steps` is the number of rates to try; spoilt afterwards.
        report: Called with the number of steps done.

    Raises:
        TrainingError: The loss diverged before anything could be seen.
    """
    recipe = learner.recipe
    growth = (HIGHEST_RATE / LOWEST_RATE) ** (1 / max(1, recipe.max_steps - 1))
    rates: list[float] = []
    losses: list[float] = []
    lowest = math.inf
    for step, batch in enumerate(learner.batches(0)):
        rate = LOWEST_RATE * growth**step
        result = learner.learn(step, batch, factor=rate / recipe.learning_rate)
        if not result.finite:
            break
        rates.append(rate)
        losses.append(result.loss)
        last = smooth(losses)[-1]
        lowest = min(lowest, last)
        report(step + 1)
        if last > _DIVERGED * lowest:
            break
    return read_range(rates, losses)


def read_range(rates: Sequence[float], losses: Sequence[float]) -> LrRange:
    """Find the rates that matter in the losses of a range test.

    Raises:
        TrainingError: There are too few.
    """
    if len(losses) < 8:
        msg = (
            f"the loss diverged after {len(losses)} steps, too few to see where it falls; look at "
            f"the data with segnext data check"
        )
        raise TrainingError(msg)
    smoothed = smooth(losses)
    lowest = max(1, int(np.argmin(smoothed)))
    slopes = np.gradient(smoothed, np.log(rates))[: lowest + 1]
    return LrRange(
        rates=tuple(rates),
        losses=tuple(losses),
        smoothed=tuple(smoothed),
        steepest=float(rates[int(np.argmin(slopes))]),
        lowest=float(rates[lowest]),
    )


def smooth(values: Sequence[float]) -> list[float]:
    """Return the exponential mean up to each value, divided by the sum of its weights."""
    mean, smoothed = 0.0, []
    for count, value in enumerate(values, start=1):
        mean = _SMOOTHING * mean + (1 - _SMOOTHING) * value
        smoothed.append(mean / (1 - _SMOOTHING**count))
    return smoothed


def save_range(found: LrRange, folder: Path) -> Path:
    """Write `lr_range.json` and `lr_range.png` and return the latter's path.

    Raises:
        SegnextError: The disk or its permissions refuse.
    """
    _save_json(asdict(found), folder / "lr_range.json")
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(found.rates, found.losses, color="#4c72b0", linewidth=0.7, alpha=0.4)
    axes.plot(found.rates, found.smoothed, color="#4c72b0", label="loss, smoothed")
    axes.axvline(found.steepest, color="#55a868", label=f"falls fastest: {found.steepest:.2g}")
    axes.axvline(found.lowest, color="#c44e52", linestyle=":", label=f"lowest: {found.lowest:.2g}")
    axes.set(xlabel="learning rate of the encoder", ylabel="training loss", xscale="log")
    top = 1.1 * max(found.smoothed[0], min(found.smoothed) * 2)
    axes.set_ylim(0, top)
    return _save_picture(figure, folder / "lr_range.png")


@dataclass(frozen=True)
class BatchRange:
    """What the search for the largest batch found.

    Attributes:
        largest: Pictures of a step that fit in one process without cutting the batch.
        limit: Bytes that a step may take.
        sizes: Pictures of each trial, ascending.
        bytes: That the step takes, or `None` where it did not fit.
        measured: `steps` where real steps were done, `extrapolated` where bytes follow from those
            that one picture leaves for the backward pass.
    """

    largest: int
    limit: int
    sizes: tuple[int, ...]
    bytes: tuple[int | None, ...]
    measured: str


def search_batch(meter: StepMeter, recipe: Recipe) -> BatchRange:
    """Find the largest batch of one process that fits into `memory`, or into what is free.

    On CUDA real steps are done, with their peak of allocated memory; elsewhere, where running out
    of memory ends the process, bytes are extrapolated.

    Raises:
        TrainingError: Not even one picture fits.
    """
    recipe = recipe.model_copy(update={"accumulate": 1})
    if recipe.device == "cuda":
        limit = recipe.memory or int(_USABLE * free_memory(torch.device("cuda")))
        return find_largest(lambda size: _peak_on_cuda(meter, recipe, size), limit, "steps")
    memory = meter.memory(recipe)
    limit = recipe.memory or int(_USABLE * memory.free)
    return find_largest(lambda size: memory.fixed + size * memory.picture, limit, "extrapolated")


def find_largest(measure: Callable[[int], int | None], limit: int, measured: str) -> BatchRange:
    """Double the batch until it does not fit, then halve the gap.

    Args:
        measure: Bytes of a step of so many pictures, or `None` if memory ran out.
        limit: Bytes that a step may take.
        measured: See `BatchRange`.

    Raises:
        TrainingError: Not even one picture fits.
    """
    trials: dict[int, int | None] = {}

    def fits(size: int) -> bool:
        trials[size] = taken = measure(size)
        return taken is not None and taken <= limit

    if not fits(1):
        taken = f"{trials[1] or 0:,} bytes" if trials[1] else "more than there is"
        msg = (
            f"a step of one picture takes {taken}, the limit is {limit:,} bytes; take a smaller "
            f"crop or model, or give more --memory"
        )
        raise TrainingError(msg)
    good, bad = 1, _MOST_PICTURES + 1
    while good + 1 < bad:
        size = min(2 * good, _MOST_PICTURES) if bad > _MOST_PICTURES else (good + bad) // 2
        if fits(size):
            good = size
        else:
            bad = size
    sizes = tuple(sorted(trials))
    return BatchRange(good, limit, sizes, tuple(trials[size] for size in sizes), measured)


def save_batches(found: BatchRange, folder: Path) -> Path:
    """Write `batch_range.json` and `batch_range.png` and return the latter's path.

    Raises:
        SegnextError: The disk or its permissions refuse.
    """
    _save_json(asdict(found), folder / "batch_range.json")
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    tried = list(zip(found.sizes, found.bytes, strict=True))
    known = [(size, taken / 1e9) for size, taken in tried if taken is not None]
    axes.plot(*zip(*known, strict=True), color="#4c72b0", marker="o", label="a step")
    failed = [size for size, taken in tried if taken is None]
    axes.plot(failed, [found.limit / 1e9] * len(failed), "x", color="#c44e52")
    axes.axhline(found.limit / 1e9, color="#c44e52", linestyle=":", label="limit")
    axes.axvline(found.largest, color="#55a868", label=f"largest that fits: {found.largest}")
    axes.set(xlabel="pictures of a step in one process", ylabel="memory [GB]", ylim=(0, None))
    axes.set_xlim(0, 2.2 * found.largest + 1)
    axes.set_ylim(0, 2.2 * found.limit / 1e9)
    return _save_picture(figure, folder / "batch_range.png")


def _peak_on_cuda(meter: StepMeter, recipe: Recipe, size: int) -> int | None:
    small = recipe.model_copy(update={"batch_size": size, "max_steps": 2})
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    try:
        learner = build_learner(small, meter.data, Processes.alone())
        for step, batch in enumerate(learner.batches(0)):  # the first one makes Adam's state
            learner.learn(step, batch)
    except torch.cuda.OutOfMemoryError:
        return None
    return torch.cuda.max_memory_allocated()


def _save_json(values: dict[str, Any], path: Path) -> None:
    write_atomically(path, (json.dumps(values, indent=1) + "\n").encode())


def _save_picture(figure: Figure, path: Path) -> Path:
    axes = figure.axes[0]
    axes.grid(alpha=0.3)
    axes.legend()
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=110)
    write_atomically(path, drawn.getvalue())
    return path
