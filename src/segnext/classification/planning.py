"""Fill in every blank of a classification run, with a reason for each choice."""

import math
import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from segnext.classification.config import ClassifyConfig, ClassifyRecipe
from segnext.classification.photos import read_photo
from segnext.data.datasets.imagenet import ImageFolder
from segnext.errors import UsageError
from segnext.inference import choose_device
from segnext.training.situation import Choice

FULL_CROP = 224
SMALL_SIDE = 128  # pictures up to this size are taken as they are
LOOKED_AT = 64
LEAST_POSITIONS = 4  # of stage 4, along a side
EPOCHS = 300
BASE_RATE, BASE_BATCH = 1e-3, 1024
ROOT_BELOW = 512
WARMUP_EPOCHS, WARMUP_SHARE = 5.0, 0.1
VALIDATION_SHARE = 0.1
TIMED_STEPS = 4


@dataclass(frozen=True)
class StepTiming:
    """Measured on this machine: seconds per optimizer step and per validation."""

    step_s: float
    validation_s: float


Measure = Callable[[ClassifyRecipe], StepTiming]


@dataclass
class _Blanks:
    """Options so far, and the choices among them."""

    values: dict[str, Any]
    choices: list[Choice] = field(default_factory=list)

    def choose(self, option: str, value: Any, because: str) -> None:
        """Fill in an option, unless it was given."""
        if self.values.get(option) is None:
            self.values[option] = value
            self.choices.append(Choice(option, value, because))


def resolve(
    config: ClassifyConfig, data: ImageFolder, processes: int, measure: Measure
) -> tuple[ClassifyRecipe, tuple[Choice, ...]]:
    """Choose what was left open.

    Args:
        config: What was said.
        data: What is trained on.
        processes: That train together.
        measure: Times a recipe; asked only for a budget.

    Raises:
        UsageError: Options contradict each other or do not fit the data.
    """
    blanks = _Blanks(config.model_dump())
    if config.crop_share == 0:
        blanks.values["crop_share"] = 0.0
    _choose_machine(blanks, config, processes)
    _choose_sizes(blanks, data)
    _choose_batch(blanks, data)
    _choose_rate(blanks)
    _choose_length(blanks, config, data, measure)
    blanks.values["lr_scaling"] = blanks.values["lr_scaling"] or "none"
    # What they came to is said by max_steps, which alone holds from here on.
    blanks.values |= {"epochs": None, "budget": None}
    recipe = ClassifyRecipe(**blanks.values)
    check_batch(recipe, processes)
    return recipe, tuple(blanks.choices)


def check_batch(recipe: ClassifyRecipe, processes: int) -> None:
    """Refuse a batch that cannot be shared out.

    Raises:
        UsageError: Names the numbers.
    """
    size = recipe.batch_size
    mixed = recipe.mix_probability > 0 and (recipe.mixup > 0 or recipe.cutmix > 0)
    if mixed and size % 2:
        msg = f"batch_size {size} is odd: mixup and CutMix pair samples; make it even or set both 0"
        raise UsageError(msg)
    if size % recipe.repeats or (recipe.repeats > 1 and size == recipe.repeats):
        msg = (
            f"batch_size {size} does not hold several photos {recipe.repeats} times each; make it "
            f"a multiple of repeats"
        )
        raise UsageError(msg)
    least = (2 if mixed else 1) * processes * recipe.accumulate
    if size < least:
        msg = (
            f"batch_size {size} is too small for {processes} processes of {recipe.accumulate} "
            f"parts each; at least {least}"
        )
        raise UsageError(msg)


def _choose_machine(blanks: _Blanks, config: ClassifyConfig, processes: int) -> None:
    device = choose_device(config.device)
    on_cpu = device.type == "cpu"
    half = device.type == "cuda" and torch.cuda.is_bf16_supported()
    blanks.choose("device", device.type, "the fastest that this machine has")
    because = "bf16 is native here" if half else "bf16 would be slower here than fp32"
    blanks.choose("precision", "bf16" if half else "fp32", because)
    spare = max(0, (os.cpu_count() or 1) // processes - 1)
    because = "the cores are needed for the network" if on_cpu else "the cores left beside it"
    blanks.choose("num_workers", 1 if on_cpu else min(16, spare), because)


def _choose_sizes(blanks: _Blanks, data: ImageFolder) -> None:
    photos = data.splits["train"]
    looked_at = np.linspace(0, len(photos) - 1, min(LOOKED_AT, len(photos))).astype(int)
    sides = [min(read_photo(photos[int(index)][0]).shape[:2]) for index in looked_at]
    side = int(statistics.median(sides))
    small = side <= SMALL_SIDE
    because = f"photos are {side} px" if small else "the recipe's"
    blanks.choose("crop_size", side if small else FULL_CROP, because)
    blanks.choose("eval_size", blanks.values["crop_size"], "as in training")
    because = "small pictures are seen whole" if small else "the recipe's: the middle of the photo"
    blanks.choose("crop_share", 0.0 if small else 0.875, because)
    crop = int(blanks.values["crop_size"])
    stride = next((s for s in (4, 2) if crop / (8 * s) >= LEAST_POSITIONS), 1)
    because = f"stage 4 sees a crop of {crop} px as {math.ceil(crop / (8 * stride))} positions"
    blanks.choose("stem_stride", stride, f"{because} a side")


def _choose_batch(blanks: _Blanks, data: ImageFolder) -> None:
    usual = BASE_BATCH if blanks.values["device"] == "cuda" else 64
    photos = len(data.splits["train"]) // 2 * 2
    because = "the recipe's" if usual == BASE_BATCH else "more updates per minute than 1024"
    blanks.choose("batch_size", max(2, min(usual, photos)), because)


def _choose_rate(blanks: _Blanks) -> None:
    if blanks.values["learning_rate"] is not None:
        return
    batch = blanks.values["batch_size"]
    linear = batch >= ROOT_BELOW
    because = (
        f"batches of {ROOT_BELOW} and more: the recipe's rule"
        if linear
        else "small batches: Adam's rate goes with the root (arXiv 2205.10287)"
    )
    blanks.choose("lr_scaling", "linear" if linear else "root", because)
    scaling = blanks.values["lr_scaling"]
    share = {"linear": batch / BASE_BATCH, "root": math.sqrt(batch / BASE_BATCH), "none": 1.0}
    because = f"{BASE_RATE:g} at batch {BASE_BATCH}, scaling {scaling}"
    blanks.choose("learning_rate", float(f"{BASE_RATE * share[scaling]:.3g}"), because)


def _choose_length(
    blanks: _Blanks, config: ClassifyConfig, data: ImageFolder, measure: Measure
) -> None:
    given = [n for n in ("epochs", "max_steps", "budget") if getattr(config, n) is not None]
    if len(given) > 1:
        msg = f"{' and '.join(given)} both say how long to train; give one of them"
        raise UsageError(msg)
    photos, batch = len(data.splits["train"]), blanks.values["batch_size"]
    epoch = max(1, round(photos / batch))
    timing = None
    if config.budget is not None:
        draft = {
            **blanks.values,
            "max_steps": TIMED_STEPS,
            "warmup_steps": 0,
            "validate_every": 1,
        }
        timing = measure(ClassifyRecipe(**draft))
        every = blanks.values["validate_every"] or _validation_interval(epoch, timing)
        steps = int(config.budget / (timing.step_s + timing.validation_s / every))
        because = f"{timing.step_s:.3g} s a step, measured; {steps / epoch:.1f} epochs"
        blanks.choose("max_steps", max(1, steps), because)
    elif config.max_steps is None:
        epochs = config.epochs or EPOCHS
        because = f"{epochs:g} epochs of {photos:,} photos"
        blanks.choose("max_steps", max(1, round(epochs * photos / batch)), because)
    steps = blanks.values["max_steps"]
    every = epoch if timing is None else _validation_interval(epoch, timing)
    because = "an epoch" if every == epoch else f"at most {VALIDATION_SHARE:.0%} of the time"
    blanks.choose("validate_every", min(every, steps), because)
    if config.warmup_epochs is None:
        warmup = min(round(WARMUP_EPOCHS * photos / batch), round(WARMUP_SHARE * steps))
        because = f"{WARMUP_EPOCHS:g} epochs, at most {WARMUP_SHARE:.0%} of the steps"
        blanks.choose("warmup_epochs", round(warmup * batch / photos, 3), because)
        blanks.values["warmup_steps"] = warmup
    else:
        blanks.values["warmup_steps"] = round(config.warmup_epochs * photos / batch)


def _validation_interval(epoch: int, timing: StepTiming) -> int:
    """Return an epoch, or as many more steps as keep validations to their share of the time."""
    least = timing.validation_s * (1 - VALIDATION_SHARE) / (VALIDATION_SHARE * timing.step_s)
    return max(epoch, math.ceil(least))
