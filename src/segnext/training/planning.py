"""The choices a user did not make: from the data, the machine and the start, each with a reason.

The rules, in the order they are applied, are the functions below; README and docs/training.md
tell them in words.
"""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

from segnext.data import FolderDataset, image_header
from segnext.data.statistics import choose_normalization, spread_sample
from segnext.errors import UsageError
from segnext.inference import choose_device
from segnext.training.config import Recipe, TrainConfig

# Area of a training crop, in pixels: on a CPU many small steps beat few large ones.
CPU_CROP_AREA = 320 * 256
GPU_CROP_AREA = 512 * 512
DEFAULT_BUDGET_S = {"cpu": 3600.0, "cuda": 8 * 3600.0, "mps": 4 * 3600.0}
SCRATCH_EPOCHS, PRETRAINED_EPOCHS = 300, 100
FULL_SCALES, MILD_SCALES, FEW_EPOCHS = (0.5, 2.0), (0.75, 1.5), 50
LEAST_STEPS, MOST_STEPS = 200, 160_000
VALIDATIONS = 12
VALIDATION_SHARE = 0.15
WHOLE_PICTURE_AREA = 4_000_000
WINDOW = 1024
SAMPLE = 64


# Stand in for what is chosen last, while a few steps are timed.
_UNTIL_TIMED = {
    "max_steps": 1,
    "warmup_steps": 0,
    "validate_every": 1,
    "scale_range": FULL_SCALES,
}


@dataclass(frozen=True)
class Choice:
    """One option that was chosen, and why."""

    option: str
    value: Any
    because: str


@dataclass(frozen=True)
class Facts:
    """What the rules look at.

    Attributes:
        train_images: Pictures in the training split.
        val_images: Pictures in the validation split.
        height: Median height of training pictures, in pixels.
        width: Median width of training pictures, in pixels.
        channels: Of every picture.
        bits: 8 or 16.
    """

    train_images: int
    val_images: int
    height: int
    width: int
    channels: int
    bits: int


@dataclass(frozen=True)
class Timing:
    """Measured on this machine: seconds per optimizer step and per validated picture."""

    step_s: float
    picture_s: float


def collect_facts(train: FolderDataset, val: FolderDataset, *, channels: int, bits: int) -> Facts:
    """Read the headers of a spread sample of the training pictures."""
    sample = [train.items[index].image_path for index in spread_sample(len(train), SAMPLE)]
    headers = [image_header(path) for path in sample]
    return Facts(
        train_images=len(train),
        val_images=len(val),
        height=int(median(header.height for header in headers)),
        width=int(median(header.width for header in headers)),
        channels=channels,
        bits=bits,
    )


def plan_run(
    config: TrainConfig,
    facts: Facts,
    train: FolderDataset,
    measure: Callable[[Recipe], Timing],
) -> tuple[Recipe, list[Choice]]:
    """Fill in every blank of a configuration.

    Args:
        config: What the user said; obeyed.
        facts: About the data.
        train: The training split, for statistics of its pixels.
        measure: Times a few real steps of a recipe; called only when no `max_steps` is given.

    Raises:
        UsageError: A value that was given cannot be used with this data or machine.
    """
    choices: list[Choice] = []
    choices += _choose_machine(config)
    choices += _choose_pixels(config, facts, train)
    choices += _choose_crop(config, facts, _value(choices, "device"))
    choices += _choose_window(config, facts)
    choices += _choose_batch(config, facts, _value(choices, "device"))
    choices += _choose_rates(config, _value(choices, "batch_size"))
    draft = _fill(config, choices, _UNTIL_TIMED)
    choices += _choose_steps(config, facts, draft, measure)
    choices += _choose_scales(config, facts, choices)
    recipe = _fill(config, choices, {})
    _check(recipe, facts)
    given = {name for name in config.model_fields_set if getattr(config, name) is not None}
    return recipe, [choice for choice in choices if choice.option not in given]


def _choose_machine(config: TrainConfig) -> list[Choice]:
    device = choose_device(config.device)
    half = device.type == "cuda" and torch.cuda.is_bf16_supported()
    workers = min(8, max(0, (os.cpu_count() or 1) - 1)) if device.type != "cpu" else 1
    return [
        Choice("device", device.type, "the fastest that this machine has"),
        Choice(
            "precision",
            config.precision or ("bf16" if half else "fp32"),
            "bf16 is native here" if half else "bf16 would be slower here than fp32",
        ),
        Choice(
            "num_workers",
            workers if config.num_workers is None else config.num_workers,
            "one process reads ahead, the cores are needed for the network"
            if device.type == "cpu"
            else "the cores left beside the training process",
        ),
    ]


def _choose_pixels(config: TrainConfig, facts: Facts, train: FolderDataset) -> list[Choice]:
    if (config.mean is None) != (config.std is None):
        msg = "training options mean and std belong together: give both or neither"
        raise UsageError(msg)
    if config.mean is not None and config.std is not None:
        return [Choice("mean", config.mean, ""), Choice("std", config.std, "")]
    found = choose_normalization(train, channels=facts.channels, bits=facts.bits)
    because = (
        "ImageNet's, for 8-bit RGB"
        if facts.channels == 3 and facts.bits == 8
        else f"measured: {facts.channels} channels of {facts.bits} bits, divided by full scale"
    )
    return [Choice("mean", found.mean, because), Choice("std", found.std, because)]


def _choose_crop(config: TrainConfig, facts: Facts, device: str) -> list[Choice]:
    if config.crop_size is not None:
        return [Choice("crop_size", config.crop_size, "")]
    area = CPU_CROP_AREA if device == "cpu" else GPU_CROP_AREA
    shrink = min(1.0, math.sqrt(area / (facts.height * facts.width)))
    height, width = (max(32, int(side * shrink) // 32 * 32) for side in (facts.height, facts.width))
    if (height, width) == (32, 32):
        height, width = 64, 64  # a lone 32 px crop leaves nothing for batch statistics
    because = (
        f"pictures are {facts.width}x{facts.height}: whole, in multiples of 32"
        if shrink == 1.0
        else f"pictures are {facts.width}x{facts.height}; about {area // 1000},000 pixels "
        f"suit this device, in multiples of 32"
    )
    return [Choice("crop_size", (height, width), because)]


def _choose_window(config: TrainConfig, facts: Facts) -> list[Choice]:
    if config.window is not None or facts.height * facts.width <= WHOLE_PICTURE_AREA:
        return [Choice("window", config.window, "pictures are small enough to be seen whole")]
    because = f"pictures of {facts.width}x{facts.height} are too large to be seen whole"
    return [Choice("window", WINDOW, because)]


def _choose_batch(config: TrainConfig, facts: Facts, device: str) -> list[Choice]:
    if config.batch_size is not None:
        return [Choice("batch_size", config.batch_size, "")]
    usual = 4 if device == "cpu" else 16
    batch = min(usual, facts.train_images)
    because = "the paper's" if batch == 16 else "more updates per minute than the paper's 16"
    return [Choice("batch_size", batch, because if batch == usual else "one pass over the data")]


def _choose_rates(config: TrainConfig, batch_size: int) -> list[Choice]:
    scratch = config.init == "none"
    factor = math.sqrt(batch_size / (8 if scratch else 16))
    lr = (2e-3 if scratch else 6e-5) * min(1.0, factor)
    return [
        Choice(
            "learning_rate",
            config.learning_rate or float(f"{lr:.2g}"),
            "from scratch: 2e-3 at batch 8 and above, with the root of smaller batches"
            if scratch
            else "the paper's 6e-5 for pretrained encoders, with the root of batch / 16",
        ),
        Choice(
            "decoder_lr_factor",
            config.decoder_lr_factor or (1.0 if scratch else 10.0),
            "encoder and decoder both start new" if scratch else "the paper's: the decoder is new",
        ),
    ]


def _choose_steps(
    config: TrainConfig, facts: Facts, draft: Recipe, measure: Callable[[Recipe], Timing]
) -> list[Choice]:
    if config.max_steps is not None:
        steps, because = config.max_steps, ""
        every = max(1, math.ceil(steps / VALIDATIONS))
        why_every = f"{VALIDATIONS} validations"
    else:
        timing = measure(draft)
        steps, because = _steps_in_time(config, facts, draft, timing)
        every = _validation_interval(facts, steps, timing)
        why_every = (
            f"{math.ceil(steps / every)} validations of {facts.val_images} pictures, at most "
            f"{VALIDATION_SHARE:.0%} of the time"
        )
    return [
        Choice("max_steps", steps, because),
        Choice(
            "warmup_steps",
            min(1500, steps // 20) if config.warmup_steps is None else config.warmup_steps,
            "a twentieth of the steps, at most the paper's 1500",
        ),
        Choice("validate_every", min(steps, config.validate_every or every), why_every),
    ]


def _choose_scales(config: TrainConfig, facts: Facts, choices: list[Choice]) -> list[Choice]:
    if config.scale_range is not None:
        return [Choice("scale_range", config.scale_range, "")]
    samples = _value(choices, "max_steps") * _value(choices, "batch_size")
    epochs = samples / facts.train_images
    if epochs < FEW_EPOCHS:
        because = f"{epochs:.0f} epochs are too few to learn from the paper's 0.5 to 2"
        return [Choice("scale_range", MILD_SCALES, because)]
    return [Choice("scale_range", FULL_SCALES, "the paper's")]


def _steps_in_time(
    config: TrainConfig, facts: Facts, draft: Recipe, timing: Timing
) -> tuple[int, str]:
    """Fill the budget; without one, stop at a sensible number of epochs if that comes first."""
    device = draft.device
    seconds = config.budget or DEFAULT_BUDGET_S[device]
    in_time = int(seconds * (1 - VALIDATION_SHARE) / timing.step_s)
    measured = f"{timing.step_s:.2f} s a step, measured"
    if config.budget is not None:
        return max(1, in_time), f"fills {seconds / 60:.0f} minutes at {measured}"
    epochs = SCRATCH_EPOCHS if config.init == "none" else PRETRAINED_EPOCHS
    wanted = epochs * facts.train_images // draft.batch_size
    wanted = min(MOST_STEPS, max(LEAST_STEPS, wanted))
    if in_time < wanted:
        return max(1, in_time), (
            f"fills {seconds / 60:.0f} minutes, the default budget on {device}, at {measured}; "
            f"more time would help, see --budget"
        )
    return wanted, f"{epochs} epochs; about {wanted * timing.step_s / 60:.0f} minutes at {measured}"


def _validation_interval(facts: Facts, steps: int, timing: Timing) -> int:
    affordable = VALIDATION_SHARE / (1 - VALIDATION_SHARE) * steps * timing.step_s
    count = int(affordable / max(1e-9, facts.val_images * timing.picture_s))
    return max(1, math.ceil(steps / min(VALIDATIONS, max(1, count))))


def _fill(config: TrainConfig, choices: list[Choice], rest: Mapping[str, Any]) -> Recipe:
    chosen = {choice.option: choice.value for choice in choices}
    return Recipe(**{**config.model_dump(), **rest, **chosen})


def _value(choices: list[Choice], option: str) -> Any:
    return next(choice.value for choice in choices if choice.option == option)


def _check(recipe: Recipe, facts: Facts) -> None:
    if len(recipe.mean) != facts.channels:
        msg = f"mean has {len(recipe.mean)} entries, but pictures have {facts.channels} channels"
        raise UsageError(msg)
    if recipe.batch_size == 1 and recipe.crop_size == (32, 32):
        msg = "a batch of one 32x32 crop leaves nothing for batch statistics; use a larger crop"
        raise UsageError(msg)
