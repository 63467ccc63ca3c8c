"""What a training run can be told, and what it was resolved to.

`TrainConfig` is what a user says: everything but the data may be left out. `Recipe` is the same
with every blank filled in by `segnext.training.plan`; it is what runs, and what `config.yaml` in
the run folder and the checkpoint keep.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from segnext.errors import UsageError, describe_unknown

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(value: object) -> object:
    """Turn `90s`, `30m`, `1h30m` or `2h` into seconds; numbers are seconds already.

    Raises:
        ValueError: The text is none of these.
    """
    if not isinstance(value, str):
        return value
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", value)
    if not parts or "".join(number + unit for number, unit in parts) != value.strip():
        msg = f"{value!r} is no duration; write 90s, 30m, 1h30m or 2h"
        raise ValueError(msg)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


Duration = Annotated[float, BeforeValidator(parse_duration), Field(gt=0)]
CropSide = Annotated[int, Field(ge=32)]


class TrainConfig(BaseModel):
    """Arguments of a training run. `None` means "choose for me".

    Attributes:
        data: Folder of photos and masks, or a data.yaml.
        model: Name in the model registry.
        model_options: Fields of `SegNeXtConfig` over the preset.
        init: `none` (from scratch), or a weights file to start from.
        group: Regular expression or CSV file that keeps neighbours in one split.
        ignore_index: Mask values that count for nothing, besides 255.
        split_seed: Of the hash that splits a folder without splits.
        crop_size: Height and width of training crops in pixels.
        base_size: Long and short side of the box that scale 1 fits pictures into, in pixels;
            `None` keeps their own size.
        scale_range: Random factors on the base size.
        flip: Probability of mirroring.
        photometric: Random brightness, contrast, saturation and hue.
        batch_size: Pictures per optimizer step.
        max_steps: Optimizer steps of the run.
        budget: Wall time of the run in seconds (`30m`, `2h`), from which `max_steps` follows.
        learning_rate: Of the encoder, at the end of warm-up.
        decoder_lr_factor: Learning rate of the decoder over that of the encoder.
        weight_decay: Of AdamW.
        warmup_steps: Steps of linear warm-up.
        poly_power: Exponent of the polynomial decay.
        groups: `ours` spares norms, scales and biases from weight decay; `authors` spares what
            the authors' configurations spare.
        loss_mean: `valid` averages cross-entropy over counted pixels, `all` over every pixel as
            the authors do.
        ema_decay: Of the weight average that is validated and saved; 0 switches it off.
        precision: `fp32` or `bf16`.
        device: `cpu`, `cuda` or `mps`.
        license: Terms under which the trained weights may be used; follow from those of the data.
        seed: Of weights, sample order, augmentation, drop path and first bases.
        num_workers: Processes that read ahead.
        validate_every: Steps between validations.
        log_every: Steps between lines of metrics.jsonl.
        mean: Per-channel mean of pixels in 0-1 units, subtracted.
        std: Per-channel standard deviation in 0-1 units, divided by.
        window: Side of sliding windows in validation, in pixels; `None` shows whole pictures.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    data: Path
    model: str = "segnext_tiny"
    model_options: dict[str, Any] = Field(default_factory=dict)
    init: str = "none"
    group: str | None = None
    ignore_index: tuple[int, ...] = ()
    split_seed: int = 0
    crop_size: tuple[CropSide, CropSide] | None = None
    base_size: tuple[CropSide, CropSide] | None = None
    scale_range: tuple[float, float] | None = None
    flip: float = Field(default=0.5, ge=0, le=1)
    photometric: bool = True
    batch_size: int | None = Field(default=None, ge=1)
    max_steps: int | None = Field(default=None, ge=1)
    budget: Duration | None = None
    learning_rate: float | None = Field(default=None, gt=0)
    decoder_lr_factor: float | None = Field(default=None, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    warmup_steps: int | None = Field(default=None, ge=0)
    poly_power: float = Field(default=1.0, gt=0)
    groups: Literal["ours", "authors"] = "ours"
    loss_mean: Literal["valid", "all"] = "valid"
    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    precision: Literal["fp32", "bf16"] | None = None
    device: Literal["cpu", "cuda", "mps"] | None = None
    license: str = "unstated"
    seed: int = Field(default=0, ge=0)
    num_workers: int | None = Field(default=None, ge=0)
    validate_every: int | None = Field(default=None, ge=1)
    log_every: int = Field(default=10, ge=1)
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    window: int | None = Field(default=None, ge=32)


class Recipe(TrainConfig):
    """A `TrainConfig` without blanks; see there for the attributes."""

    crop_size: tuple[CropSide, CropSide]
    scale_range: tuple[float, float]
    batch_size: int
    max_steps: int
    learning_rate: float
    decoder_lr_factor: float
    warmup_steps: int
    precision: Literal["fp32", "bf16"]
    device: Literal["cpu", "cuda", "mps"]
    num_workers: int
    validate_every: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


def build_config(values: Mapping[str, Any]) -> TrainConfig:
    """Check a flat mapping of arguments.

    Raises:
        UsageError: One line that names the argument, its value and what it should be.
    """
    for name in values:
        if name not in TrainConfig.model_fields:
            raise UsageError(describe_unknown("training option", name, TrainConfig.model_fields))
    try:
        return TrainConfig(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        problem = first["msg"].removeprefix("Value error, ")
        msg = f"training option {where}: {problem} (got {first['input']!r})"
        raise UsageError(msg) from None


def read_config(path: Path) -> dict[str, Any]:
    """Read a YAML file of arguments, such as the config.yaml of an earlier run.

    Raises:
        UsageError: The file is missing or is not a YAML mapping.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        msg = f"{path}: cannot be read as YAML: {' '.join(str(error).split())}"
        raise UsageError(msg) from error
    if not isinstance(values, dict):
        msg = f"{path}: should hold `option: value` lines"
        raise UsageError(msg)
    return values


def parse_overrides(overrides: Sequence[str]) -> dict[str, Any]:
    """Read `name=value` and `name.entry=value` words; values are YAML.

    Raises:
        UsageError: A word has no `=`, or its value is not YAML.
    """
    values: dict[str, Any] = {}
    for override in overrides:
        name, equals, text = override.partition("=")
        if not equals:
            msg = f"override {override!r} should read name=value, such as batch_size=4"
            raise UsageError(msg)
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            msg = f"override {override!r}: the value is not YAML"
            raise UsageError(msg) from error
        first, *rest = name.strip().split(".")
        place = values
        for part in rest:
            place = place.setdefault(first, {})
            first = part
        place[first] = value
    return values
