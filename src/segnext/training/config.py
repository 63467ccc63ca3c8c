"""What a training run can be told, and what it was resolved to.

`TrainConfig` is what a user says: everything but the data may be left out. `Recipe` is the same
with every blank filled in by `segnext.training.rules`; it is what runs, and what `plan.yaml`, the
`config.yaml` of a run folder and the checkpoint keep.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from segnext.errors import UsageError, describe_unknown
from segnext.training.arguments import parse_bytes, parse_duration

Duration = Annotated[float, BeforeValidator(parse_duration), Field(gt=0)]
Bytes = Annotated[int, BeforeValidator(parse_bytes), Field(gt=0)]
CropSide = Annotated[int, Field(ge=32)]
Probability = Annotated[float, Field(ge=0, le=1)]
DomainName = Literal["street", "overhead", "microscopy", "document", "object"]
Precision = Literal["fp32", "bf16", "fp16"]
Device = Literal["cpu", "cuda", "mps"]


Options = TypeVar("Options", bound=BaseModel)

UNSTATED = "unstated"


class TrainConfig(BaseModel):
    """Arguments of a training run. `None` means "choose for me".

    Attributes:
        data: Folder of photos and masks in any known format, or a data.yaml.
        format: Name of that format or of a known data set; found out if not given.
        train_split: Name of the split to train on.
        val_split: Name of the split to validate on.
        model: Name in the model registry.
        model_options: Over the model's own, as `create_model` takes them.
        init: `pretrained` (the published ImageNet encoder, from scratch where it cannot be had),
            `none` (from scratch), or weights to start from: a file or a published name.
        encoder: Weights to take the encoder alone from, instead of `init`: a file, such as a
            classifier's, or a published name.
        merge: Classes made of several of the weights' classes: new name to old names.
        group: Regular expression or CSV file that keeps neighbours in one split.
        ignore_index: Mask values that count for nothing, besides 255.
        split_seed: Of the hash that splits a folder without splits.
        folds: Cross-validate over this many parts of train and val together; 0 does not.
        fold: Which part is val, from 0.
        domain: What the pictures are: street, overhead, microscopy, document or object.
        nodata: Stored pixel value that means "nothing was measured here".
        base_size: Long and short side of the box that scale 1 fits pictures into, in pixels;
            `None` keeps their own size.
        crop_size: Height and width of training crops in pixels.
        scale_range: Random factors on the base size.
        flip: Probability of mirroring left and right.
        flip_vertical: Probability of mirroring top and bottom.
        rotate90: Turn by a random multiple of 90 degrees.
        photometric: Random brightness, contrast, saturation and hue.
        hue: Let that change hues too.
        rare_crop: Probability that a crop is drawn around a pixel of a rare class.
        rare_classes: Names of those classes.
        batch_size: Pictures per optimizer step, over all processes.
        accumulate: Parts that each process cuts its share of a batch into, to save memory.
        memory: Bytes that a step may take on one device (`8GB`), from which `accumulate` follows.
        max_steps: Optimizer steps of the run.
        budget: Wall time for steps and validations in seconds (`30m`, `2h`), from which
            `max_steps` follows; the report at the end of a training comes on top.
        loss: Name of a loss, or names to weights or to options, such as
            `{cross_entropy: 1, dice: 0.5}` or, as the authors do, `{cross_entropy: {mean: all}}`;
            see `segnext.training.losses`.
        class_weights: `none`, `inverse`, `median_frequency`, `enet`, or class names to weights.
        learning_rate: Of the encoder, at the end of warm-up.
        decoder_lr_factor: Learning rate of the decoder over that of the encoder.
        layer_decay: Factor on the encoder's rate for each block further from the decoder.
        weight_decay: Of AdamW.
        warmup_steps: Steps of linear warm-up.
        poly_power: Exponent of the polynomial decay.
        clip_norm: Largest norm of all gradients together; 0 does not clip.
        freeze: Starts of parameter names that stay as they are, such as `encoder.stages.0`.
        groups: `ours` spares norms, scales and biases from weight decay; `authors` spares what
            the authors' configurations spare.
        ema_decay: Of the weight average that is validated and saved; 0 switches it off.
        teacher: Weights of a model to learn from as well: a file or a published name.
        teacher_weight: Of the teacher's part of the loss.
        teacher_temperature: By which both models' logits are divided for it.
        unlabelled: Folder of further pictures without masks, for a teacher.
        precision: `fp32`, `bf16` or `fp16`.
        device: `cpu`, `cuda` or `mps`.
        fsdp: Shard weights and optimizer over the processes.
        license: Terms under which the trained weights may be used; those of a known data set
            where they are not stated.
        seed: Of weights, sample order, augmentation, drop path and first bases.
        num_workers: Processes that read ahead, for each training process.
        worker_slow: Seconds without a batch (`30`, `2m`) after which the one of them that is slow
            is named; in validation, the picture.
        worker_hung: After which it counts as hung: it is killed, and reading starts again.
        validate_every: Steps between validations.
        checkpoint_every: Most seconds between two checkpoints.
        patience: Validations without a better one after which the run ends; 0 does not.
        keep_best: How many of the best validations keep their weights.
        average_best: At the end, try the mean of those weights too.
        log_every: Steps between lines of metrics.jsonl.
        trackers: Also log to these: tensorboard, wandb, mlflow and others of accelerate.
        on_bad_sample: A picture or mask that cannot be read: `stop`, or `skip` it, which is told,
            logged and counted, and shows another one instead.
        on_nonfinite: A step whose loss or gradients are not finite: `stop`, or `skip` it.
        skip_limit: Steps in a row that may be skipped so.
        on_overfit: Scores falling behind those on training pictures: `ignore`, `warn` or `stop`.
        overfit_gap: From which difference in mIoU on.
        deterministic: Compute with algorithms that give the same bits twice.
        mean: Per-channel mean of pixels in 0-1 units, subtracted.
        std: Per-channel standard deviation in 0-1 units, divided by.
        low: Per-channel lower bound that pixels are clipped to first, in 0-1 units.
        high: The upper bound.
        window: Side of sliding windows in validation, in pixels; `None` shows whole pictures.
        stride: Step between windows in pixels; `None` takes two thirds of the window.
        protocol: Name of a protocol (`paper`, `authors`, ...) to validate by instead, which the
            weights keep; see `segnext.inference.protocols`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    data: Path
    format: str | None = None
    train_split: str = "train"
    val_split: str = "val"
    model: str = "segnext_tiny"
    model_options: dict[str, Any] = Field(default_factory=dict)
    init: str = "pretrained"
    encoder: str | None = None
    merge: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    group: str | None = None
    ignore_index: tuple[int, ...] = ()
    split_seed: int = 0
    folds: Annotated[int, Field(ge=0)] = 0
    fold: Annotated[int, Field(ge=0)] = 0
    domain: DomainName | None = None
    nodata: float | None = None
    base_size: tuple[CropSide, CropSide] | None = None
    crop_size: tuple[CropSide, CropSide] | None = None
    scale_range: tuple[float, float] | None = None
    flip: Probability | None = None
    flip_vertical: Probability | None = None
    rotate90: bool | None = None
    photometric: bool | None = None
    hue: bool | None = None
    rare_crop: Probability | None = None
    rare_classes: tuple[str, ...] | None = None
    batch_size: int | None = Field(default=None, ge=1)
    accumulate: int | None = Field(default=None, ge=1)
    memory: Bytes | None = None
    max_steps: int | None = Field(default=None, ge=1)
    budget: Duration | None = None
    loss: str | dict[str, Any] | None = None
    class_weights: (
        Literal["none", "inverse", "median_frequency", "enet"]
        | dict[str, Annotated[float, Field(gt=0)]]
        | None
    ) = None
    learning_rate: float | None = Field(default=None, gt=0)
    decoder_lr_factor: float | None = Field(default=None, gt=0)
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    weight_decay: float = Field(default=0.01, ge=0)
    warmup_steps: int | None = Field(default=None, ge=0)
    poly_power: float = Field(default=1.0, gt=0)
    clip_norm: float = Field(default=0.0, ge=0)
    freeze: tuple[str, ...] = ()
    groups: Literal["ours", "authors"] = "ours"
    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    teacher: str | None = None
    teacher_weight: float = Field(default=1.0, gt=0)
    teacher_temperature: float = Field(default=2.0, gt=0)
    unlabelled: Path | None = None
    precision: Precision | None = None
    device: Device | None = None
    fsdp: bool = False
    license: str = UNSTATED
    seed: int = Field(default=0, ge=0)
    num_workers: int | None = Field(default=None, ge=0)
    worker_slow: Duration = 30.0
    worker_hung: Duration = 300.0
    validate_every: int | None = Field(default=None, ge=1)
    checkpoint_every: Duration = 600.0
    patience: int = Field(default=0, ge=0)
    keep_best: int = Field(default=1, ge=1)
    average_best: bool = False
    log_every: int = Field(default=10, ge=1)
    trackers: tuple[str, ...] = ()
    on_bad_sample: Literal["stop", "skip"] = "stop"
    on_nonfinite: Literal["stop", "skip"] = "stop"
    skip_limit: int = Field(default=10, ge=1)
    on_overfit: Literal["ignore", "warn", "stop"] = "ignore"
    overfit_gap: Probability = 0.2
    deterministic: bool = False
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    low: tuple[float, ...] | None = None
    high: tuple[float, ...] | None = None
    window: int | None = Field(default=None, ge=32)
    stride: int | None = Field(default=None, ge=1)
    protocol: str | None = None


class Recipe(TrainConfig):
    """A `TrainConfig` without blanks; see there for the attributes.

    What stays `None` here means none: no domain declared, no value for missing pixels, their own
    size, no clipping, no windows, no named protocol.
    """

    crop_size: tuple[CropSide, CropSide]
    scale_range: tuple[float, float]
    flip: Probability
    flip_vertical: Probability
    rotate90: bool
    photometric: bool
    hue: bool
    rare_crop: Probability
    rare_classes: tuple[str, ...]
    batch_size: int
    accumulate: int
    max_steps: int
    loss: str | dict[str, Any]
    class_weights: Literal["none"] | dict[str, float]
    learning_rate: float
    decoder_lr_factor: float
    warmup_steps: int
    precision: Precision
    device: Device
    num_workers: int
    validate_every: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


def build_config(values: Mapping[str, Any]) -> TrainConfig:
    """Check a flat mapping of arguments.

    Raises:
        UsageError: One line that names the argument, its value and what it should be.
    """
    return check_options(TrainConfig, values, "training option")


def check_options(kind: type[Options], values: Mapping[str, Any], what: str) -> Options:
    """Build a model of options from a flat mapping.

    Args:
        kind: The model.
        values: By option.
        what: How messages call an option.

    Raises:
        UsageError: One line that names the option, its value and what it should be.
    """
    for name in values:
        if name not in kind.model_fields:
            raise UsageError(describe_unknown(what, str(name), kind.model_fields))
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        problem = first["msg"].removeprefix("Value error, ")
        msg = f"{what} {where}: {problem} (got {first['input']!r})"
        raise UsageError(msg) from None
