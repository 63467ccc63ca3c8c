"""The rules of the plan: what is chosen where the user chose nothing, and why.

Each rule is one function from the situation (what was said, what the data are, what was measured
on this machine) to choices with reasons. They run in the order of `RULES`, and a later one sees
what the earlier ones chose. What a user gave is never overruled. docs/training.md has the same
rules as a table; the experiments behind the numbers are in docs/benchmarks.md.
"""

import math
import os
from collections.abc import Callable
from typing import Literal

import torch

from segnext.data.domains import DOMAINS, find_sided_classes
from segnext.data.fingerprint import ClassFingerprint, Fingerprint
from segnext.data.statistics import build_normalization
from segnext.errors import UsageError, describe_unknown, list_some
from segnext.inference import choose_device
from segnext.spec import IMAGENET_NORMALIZATION
from segnext.training.losses import LOSSES, Loss, compute_class_weights
from segnext.training.losses.loss import PixelLoss
from segnext.training.situation import Choice, Situation, Timing

# Area of a training crop, in pixels: on a CPU many small steps beat few large ones.
CPU_CROP_AREA = 320 * 256
GPU_CROP_AREA = 512 * 512
DEFAULT_BUDGET_S = {"cpu": 3600.0, "cuda": 8 * 3600.0, "mps": 4 * 3600.0}
# How often a run without a budget sees every distinct pixel of the training split.
SCRATCH_PASSES, PRETRAINED_PASSES = 200, 60
FULL_SCALES, MILD_SCALES, FEW_EPOCHS = (0.5, 2.0), (0.75, 1.5), 50
LEAST_STEPS, MOST_STEPS = 200, 160_000
VALIDATIONS = 12
VALIDATION_SHARE = 0.15
WHOLE_PICTURE_AREA = 4_000_000
WINDOW = 1024
MEMORY_SHARE = 0.8
# Largest over smallest class, in pixels, from which classes are weighted.
IMBALANCE = 10.0
RARE_SHARE = 0.02
RARE_CROP = 0.5
# Share of the largest class from which it dominates, and the rare crops that suit such data.
DOMINATED = 0.8
DOMINATED_RARE_CROP = 0.25
# Largest over smallest picture from which all are brought to one size.
SIZE_SPREAD = 4.0
THIN = 4.0

Rule = Callable[[Situation], list[Choice]]


def choose_machine(situation: Situation) -> list[Choice]:
    """Use the fastest device in the precision that is native to it."""
    device = choose_device(situation.config.device)
    half = device.type == "cuda" and torch.cuda.is_bf16_supported()
    spare = max(0, (os.cpu_count() or 1) // situation.processes - 1)
    on_cpu = device.type == "cpu"
    return [
        Choice("device", device.type, "the fastest that this machine has"),
        Choice(
            "precision",
            "bf16" if half else "fp32",
            "bf16 is native here" if half else "bf16 would be slower here than fp32",
        ),
        Choice(
            "num_workers",
            1 if on_cpu else min(8, spare),
            "one process reads ahead, the cores are needed for the network"
            if on_cpu
            else "the cores left beside the training process",
        ),
    ]


def choose_pixels(situation: Situation) -> list[Choice]:
    """Normalise as ImageNet for 8-bit RGB, else by clipped statistics of the pictures."""
    config, data = situation.config, situation.data
    nodata = config.nodata if situation.gave("nodata") else data.nodata
    choices = [Choice("nodata", nodata, "declared by the pictures")] if nodata is not None else []
    if data.channels == 3 and data.bits == 8:
        found, because = IMAGENET_NORMALIZATION, "ImageNet's, for 8-bit RGB"
    else:
        found = build_normalization(data.values)
        because = f"measured: {data.channels} channels of {data.bits} bits, 0.5 to 99.5 percentile"
    if situation.gave("mean") or situation.gave("std"):
        return choices  # their own statistics, for which our clipping was not made
    choices += [Choice("mean", found.mean, because), Choice("std", found.std, because)]
    if found.low is not None:
        clip = "a few glaring or dead pixels must not decide the scale"
        choices += [Choice("low", found.low, clip), Choice("high", found.high, clip)]
    return choices


def choose_resolution(situation: Situation) -> list[Choice]:
    """Keep pictures as they are, unless their sizes differ so much that one crop fits few."""
    data = situation.data
    sides = sorted((data.height[1], data.width[1]), reverse=True)
    spread = math.sqrt(data.height[2] * data.width[2] / (data.height[0] * data.width[0]))
    if spread < SIZE_SPREAD:
        return []
    shrink = math.sqrt(data.height[2] * data.width[2] / (sides[0] * sides[1]))
    thinnest = _thinnest(data)
    if thinnest is not None and (thinnest.median_width or THIN) / shrink < THIN:
        return []  # things a few pixels wide would vanish in the largest pictures
    because = f"pictures differ {spread:.1f} times in size: all fit the median's box"
    return [Choice("base_size", (max(32, sides[0]), max(32, sides[1])), because)]


def choose_crop(situation: Situation) -> list[Choice]:
    """Take whole pictures in multiples of 32, or as much of them as suits the device."""
    data = situation.data
    height, width = data.height[1], data.width[1]
    device = situation.value("device")
    area = CPU_CROP_AREA if device == "cpu" else GPU_CROP_AREA
    shrink = min(1.0, math.sqrt(area / (height * width)))
    crop = tuple(max(32, int(side * shrink) // 32 * 32) for side in (height, width))
    if crop == (32, 32):
        crop = (64, 64)  # a lone 32 px crop leaves nothing for batch statistics
    because = (
        f"pictures are {width}x{height}: whole, in multiples of 32"
        if shrink == 1.0
        else f"pictures are {width}x{height}; about {area // 1000},000 pixels suit this device, "
        f"at full resolution, in multiples of 32"
    )
    return [Choice("crop_size", crop, because)]


def choose_window(situation: Situation) -> list[Choice]:
    """See pictures whole in validation and prediction, unless they are too large for it.

    A named protocol says itself what is seen.
    """
    if situation.gave("protocol"):
        return []
    height, width = situation.data.height[2], situation.data.width[2]
    needed = height * width > WHOLE_PICTURE_AREA
    window = situation.config.window if situation.gave("window") else WINDOW if needed else None
    if window is None:
        return []
    because = f"pictures of up to {width}x{height} are too large to be seen whole"
    overlap = "windows overlap by a third: their borders see too little around them"
    return [Choice("window", window, because), Choice("stride", window * 2 // 3, overlap)]


def choose_batch(situation: Situation) -> list[Choice]:
    """Take the paper's batch on a GPU and a small one on a CPU."""
    pictures = situation.data.splits["train"]
    usual = 4 if situation.value("device") == "cpu" else 16
    usual = max(usual, situation.processes)
    if pictures < usual:
        return [Choice("batch_size", max(pictures, situation.processes), "one pass over the data")]
    because = "the paper's" if usual == 16 else "more updates per minute than the paper's 16"
    return [Choice("batch_size", usual, because)]


def choose_rare_crops(situation: Situation) -> list[Choice]:
    """Draw some crops around rare classes, where a crop shows too little to meet them by chance."""
    data = situation.data
    present = [entry for entry in data.classes if entry.pixels]
    rare = tuple(entry.name for entry in present if entry.pixel_share < RARE_SHARE)
    which = Choice("rare_classes", rare, f"each has less than {RARE_SHARE:.0%} of the pixels")
    height, width = situation.value("crop_size")
    seen = min(1.0, height * width / (data.height[1] * data.width[1]))
    if not rare or seen > 0.5:
        because = f"a crop shows {seen:.0%} of a picture" if rare else "no class is rare"
        return [Choice("rare_crop", 0.0, because), which]
    because = f"a crop shows {seen:.0%} of a picture and would often miss {list_some(rare, 3)}"
    share = DOMINATED_RARE_CROP if _is_dominated(data) else RARE_CROP
    return [Choice("rare_crop", share, because), which]


def choose_loss(situation: Situation) -> list[Choice]:
    """Weigh the classes of cross-entropy where some are much rarer than others.

    Where one class covers nearly everything and crops look for the rare ones already, weights on
    top of them teach the rare classes too often, and are left out.
    """
    data, config = situation.data, situation.config
    shares = [entry.pixels for entry in data.classes if entry.pixels]
    times = max(shares) / min(shares) if len(shares) > 1 else 1.0
    loss = config.loss or "cross_entropy"
    names = [loss] if isinstance(loss, str) else list(loss)
    weighable = any(issubclass(LOSSES.get(name, Loss), PixelLoss) for name in names)
    because = f"the largest class has {times:.0f} times the pixels of the rarest"
    method: str | dict[str, float] = "enet" if times >= IMBALANCE and weighable else "none"
    if method == "enet" and situation.value("rare_crop") and _is_dominated(data):
        method, because = "none", f"{because}, and crops around rare classes make up for it"
    choices = [Choice("loss", "cross_entropy", "the paper's")]
    if situation.gave("class_weights"):
        assert config.class_weights is not None
        # A method's name becomes numbers, which can be read, edited and checked.
        situation.chosen["class_weights"] = resolve_class_weights(config.class_weights, data)
        return choices
    return [*choices, Choice("class_weights", resolve_class_weights(method, data), because)]


def choose_rates(situation: Situation) -> list[Choice]:
    """Take the paper's rates for trained encoders, and a larger, equal one from scratch."""
    scratch = situation.config.init == "none"
    batch = situation.value("batch_size")
    lr = (2e-3 if scratch else 6e-5) * min(1.0, math.sqrt(batch / (8 if scratch else 16)))
    return [
        Choice(
            "learning_rate",
            float(f"{lr:.2g}"),
            "from scratch: 2e-3 at batch 8 and above, with the root of smaller batches"
            if scratch
            else "the paper's 6e-5 for pretrained encoders, with the root of batch / 16",
        ),
        Choice(
            "decoder_lr_factor",
            1.0 if scratch else 10.0,
            "encoder and decoder both start new" if scratch else "the paper's: the decoder is new",
        ),
    ]


def choose_augmentation(situation: Situation) -> list[Choice]:
    """Mirror, turn and recolour as the declared domain allows."""
    name = situation.config.domain
    domain = DOMAINS[name or "object"]
    says = f"{name}: {domain.because}" if name else "no domain declared: only what suits any photo"
    sided = find_sided_classes([entry.name for entry in situation.data.classes])
    color = situation.data.channels == 3 and situation.data.bits == 8
    mirror = domain.flip
    why_mirror = says
    if sided and mirror:
        mirror, why_mirror = 0.0, f"mirroring would swap {sided[0][0]} and {sided[0][1]}"
    return [
        Choice("flip", mirror, why_mirror),
        Choice("flip_vertical", 0.0 if sided else domain.flip_vertical, why_mirror),
        Choice("rotate90", domain.rotate90, says),
        Choice("photometric", domain.photometric, says),
        Choice("hue", domain.hue and color, says if color else "only 8-bit RGB has a hue"),
    ]


def choose_memory(situation: Situation) -> list[Choice]:
    """Cut a batch into as many parts as the memory of a device demands."""
    local = math.ceil(situation.value("batch_size") / situation.processes)
    if situation.gave("accumulate"):
        return []
    if situation.value("device") == "cpu" and not situation.gave("memory") and local <= 4:
        return [Choice("accumulate", 1, "small batches need no cutting")]
    memory = situation.meter.memory(situation.recipe(draft=True))
    budget = situation.config.memory or int(memory.free * MEMORY_SHARE)
    fitting = (budget - memory.fixed) // max(1, memory.picture)
    if fitting < 1:
        height, width = situation.value("crop_size")
        msg = (
            f"one crop of {width}x{height} needs {_gigabytes(memory.fixed + memory.picture)}, "
            f"memory allows {_gigabytes(budget)}; choose a smaller crop_size or model, or "
            f"model_options.activation_checkpointing=true"
        )
        raise UsageError(msg)
    because = f"{_gigabytes(memory.picture)} a picture, measured; {_gigabytes(budget)} allowed"
    return [Choice("accumulate", math.ceil(local / min(local, fitting)), because)]


def choose_steps(situation: Situation) -> list[Choice]:
    """Fill the budget; without one, see every distinct pixel often enough."""
    if situation.gave("max_steps"):
        every, because = max(1, math.ceil(situation.value("max_steps") / VALIDATIONS)), ""
        choices = [Choice("validate_every", every, f"{VALIDATIONS} validations")]
    else:
        timing = situation.meter.speed(situation.recipe(draft=True))
        steps, because = _steps_in_time(situation, timing)
        every = _validation_interval(situation, steps, timing)
        why = (
            f"{math.ceil(steps / every)} validations of {situation.data.splits['val']} pictures, "
            f"at most {VALIDATION_SHARE:.0%} of the time"
        )
        choices = [Choice("max_steps", steps, because), Choice("validate_every", every, why)]
        situation.chosen["max_steps"] = steps
    warmup = min(1500, situation.value("max_steps") // 20)
    because = "a twentieth of the steps, at most the paper's 1500"
    return [*choices, Choice("warmup_steps", warmup, because)]


def choose_scales(situation: Situation) -> list[Choice]:
    """Resize as widely as the paper, unless the run is too short to learn from it."""
    samples = situation.value("max_steps") * situation.value("batch_size")
    epochs = samples / situation.data.splits["train"]
    domain = situation.config.domain
    narrow = DOMAINS[domain].scale_range if domain else None
    if narrow is not None:
        return [Choice("scale_range", narrow, f"{domain}: sizes mean something")]
    if epochs < FEW_EPOCHS:
        because = f"{epochs:.0f} epochs are too few to learn from the paper's 0.5 to 2"
        return [Choice("scale_range", MILD_SCALES, because)]
    return [Choice("scale_range", FULL_SCALES, "the paper's")]


def resolve_class_weights(
    wanted: str | dict[str, float], data: Fingerprint
) -> Literal["none"] | dict[str, float]:
    """Turn the name of a method into a weight for each class; check weights that were given.

    Raises:
        UsageError: A given name is no class, or a class has no weight.
    """
    names = [entry.name for entry in data.classes]
    if isinstance(wanted, dict):
        for name in wanted:
            if name not in names:
                raise UsageError(describe_unknown("class in class_weights", name, names))
        lacking = [name for name in names if name not in wanted]
        if lacking:
            msg = f"class_weights has no entry for {list_some(lacking)}; give one for every class"
            raise UsageError(msg)
        return wanted
    if wanted == "none":
        return "none"
    weights = compute_class_weights(
        wanted,
        [entry.pixels for entry in data.classes],
        [entry.pixels_where_present for entry in data.classes],
    )
    return {name: float(f"{value:.3g}") for name, value in zip(names, weights, strict=True)}


def _is_dominated(data: Fingerprint) -> bool:
    return max(entry.pixel_share for entry in data.classes) > DOMINATED


def _thinnest(data: Fingerprint) -> ClassFingerprint | None:
    known = [entry for entry in data.classes if entry.median_width is not None]
    return min(known, key=lambda entry: entry.median_width or 0.0, default=None)


def _steps_in_time(situation: Situation, timing: Timing) -> tuple[int, str]:
    config, data = situation.config, situation.data
    device = situation.value("device")
    seconds = config.budget or DEFAULT_BUDGET_S[device]
    in_time = int(seconds * (1 - VALIDATION_SHARE) / timing.step_s)
    measured = f"{timing.step_s:.2f} s a step, measured"
    if config.budget is not None:
        return max(1, in_time), f"fills {seconds / 60:.0f} minutes at {measured}"
    passes = SCRATCH_PASSES if config.init == "none" else PRETRAINED_PASSES
    height, width = situation.value("crop_size")
    pixels = data.splits["train"] * data.height[1] * data.width[1]
    wanted = passes * pixels // (situation.value("batch_size") * height * width)
    wanted = min(MOST_STEPS, max(LEAST_STEPS, wanted))
    if in_time < wanted:
        return max(1, in_time), (
            f"fills {seconds / 60:.0f} minutes, the default budget on {device}, at {measured}; "
            f"more time would help, see --budget"
        )
    minutes = wanted * timing.step_s / 60
    return wanted, f"{passes} times all training pixels; about {minutes:.0f} minutes at {measured}"


def _validation_interval(situation: Situation, steps: int, timing: Timing) -> int:
    affordable = VALIDATION_SHARE / (1 - VALIDATION_SHARE) * steps * timing.step_s
    count = int(affordable / max(1e-9, situation.data.splits["val"] * timing.picture_s))
    return max(1, math.ceil(steps / min(VALIDATIONS, max(1, count))))


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:.2g} GB"


RULES: tuple[Rule, ...] = (
    choose_machine,
    choose_pixels,
    choose_resolution,
    choose_crop,
    choose_window,
    choose_batch,
    choose_rare_crops,
    choose_loss,
    choose_rates,
    choose_augmentation,
    choose_memory,
    choose_steps,
    choose_scales,
)
