"""What a classification run can be told, and what it was resolved to.

The defaults are the ImageNet recipe that the paper follows (DeiT's, arXiv 2012.12877, table 9).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from segnext.spec import IMAGENET_NORMALIZATION
from segnext.training.config import (
    UNSTATED,
    Device,
    Duration,
    Precision,
    Probability,
    check_options,
)

Share = Annotated[float, Field(gt=0, le=1)]


class ClassifyConfig(BaseModel):
    """Arguments of a classification run. `None` means "choose for me".

    Attributes:
        data: Folder with `train` and `val`, and in them a folder of photos for each class.
        model: `mscan_tiny`, `mscan_small`, `mscan_base` or `mscan_large`.
        model_options: Fields of `ClassifierConfig` over the preset.
        stem_stride: Pixels per position of the first stage: 4, or 2 or 1 for small pictures.
        init: `none` (from scratch), or weights to start from: a file or a published name.
        crop: `random_resized`, or `padded` (a rim, and a square of the picture's size).
        crop_size: Side of training crops in pixels.
        scale_range: Share of the photo's area in a random resized crop.
        ratio_range: Width over height of a random resized crop.
        interpolation: Of the training crops: `random`, `bilinear` or `bicubic`.
        padding: Width of the rim in pixels, for `crop: padded`.
        flip: Probability of mirroring left and right.
        randaugment: Operations of RandAugment per picture; 0 for none.
        magnitude: Of these operations, 0-10.
        magnitude_std: Standard deviation of the magnitude.
        erasing: Probability of random erasing.
        mixup: Parameter of mixup; 0 switches it off.
        cutmix: Parameter of CutMix; 0 switches it off.
        mix_probability: That a batch is mixed at all.
        mix_switch: Probability of CutMix where both could be.
        label_smoothing: Share of the target that is spread over all classes.
        repeats: Samples of a batch that show the same photo.
        eval_size: Side of what is seen in validation, in pixels; the training crop's by default.
        crop_share: Of the resized short side in validation; 0 takes photos whole.
        batch_size: Photos per optimizer step, over all processes.
        accumulate: Parts that each process cuts its share of a batch into, to save memory.
        epochs: Passes over the training photos.
        max_steps: Optimizer steps, instead of epochs.
        budget: Wall time of the run in seconds (`30m`, `2h`), from which `max_steps` follows.
        learning_rate: At the end of warm-up.
        lr_scaling: Of 1e-3 at batch 1024, where `learning_rate` is not given: `linear` with the
            batch, with its `root`, or `none`.
        min_learning_rate: At the end of the cosine, and where warm-up starts.
        weight_decay: Of AdamW; norms, biases and layer scales are spared.
        warmup_epochs: Epochs of linear warm-up.
        drop_path: Probability of skipping the last block; the size's own by default.
        dropout: Probability of dropping a feature before the linear layer.
        clip_norm: Largest norm of all gradients together; 0 does not clip.
        ema_decay: Of the weight average that is validated and saved; 0 switches it off.
        precision: `fp32`, `bf16` or `fp16`.
        device: `cpu`, `cuda` or `mps`.
        license: Terms under which the trained weights may be used.
        seed: Of weights, sample order, augmentation, mixing and drop path.
        num_workers: Processes that read ahead, for each training process.
        worker_slow: Seconds without a batch (`30`, `2m`) after which the one of them that is slow
            is named.
        worker_hung: After which it counts as hung: it is killed, and reading starts again.
        validate_every: Steps between validations; an epoch by default.
        checkpoint_every: Most seconds between two checkpoints.
        patience: Validations without a better one after which the run ends; 0 does not.
        log_every: Steps between lines of metrics.jsonl.
        trackers: Also log to these: tensorboard, wandb, mlflow and others of accelerate.
        on_nonfinite: A step whose loss or gradients are not finite: `stop`, or `skip` it.
        skip_limit: Steps in a row that may be skipped so.
        mean: Per-channel mean of pixels in 0-1 units, subtracted.
        std: Per-channel standard deviation in 0-1 units, divided by.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    data: Path
    model: str = "mscan_tiny"
    model_options: dict[str, Any] = Field(default_factory=dict)
    stem_stride: Literal[4, 2, 1] | None = None
    init: str = "none"
    crop: Literal["random_resized", "padded"] = "random_resized"
    crop_size: int | None = Field(default=None, ge=8)
    scale_range: tuple[Share, Share] = (0.08, 1.0)
    ratio_range: tuple[float, float] = (3 / 4, 4 / 3)
    interpolation: Literal["random", "bilinear", "bicubic"] = "random"
    padding: int = Field(default=4, ge=0)
    flip: Probability = 0.5
    randaugment: int = Field(default=2, ge=0)
    magnitude: float = Field(default=9.0, ge=0, le=10)
    magnitude_std: float = Field(default=0.5, ge=0)
    erasing: Probability = 0.25
    mixup: float = Field(default=0.8, ge=0)
    cutmix: float = Field(default=1.0, ge=0)
    mix_probability: Probability = 1.0
    mix_switch: Probability = 0.5
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    repeats: int = Field(default=1, ge=1)
    eval_size: int | None = Field(default=None, ge=8)
    crop_share: float | None = Field(default=None, ge=0, le=1)
    batch_size: int | None = Field(default=None, ge=1)
    accumulate: int = Field(default=1, ge=1)
    epochs: float | None = Field(default=None, gt=0)
    max_steps: int | None = Field(default=None, ge=1)
    budget: Duration | None = None
    learning_rate: float | None = Field(default=None, gt=0)
    lr_scaling: Literal["linear", "root", "none"] | None = None
    min_learning_rate: float = Field(default=1e-6, ge=0)
    weight_decay: float = Field(default=0.05, ge=0)
    warmup_epochs: float | None = Field(default=None, ge=0)
    drop_path: float | None = Field(default=None, ge=0, lt=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    clip_norm: float = Field(default=0.0, ge=0)
    ema_decay: float = Field(default=0.9999, ge=0, lt=1)
    precision: Precision | None = None
    device: Device | None = None
    license: str = UNSTATED
    seed: int = Field(default=0, ge=0)
    num_workers: int | None = Field(default=None, ge=0)
    worker_slow: Duration = 30.0
    worker_hung: Duration = 300.0
    validate_every: int | None = Field(default=None, ge=1)
    checkpoint_every: Duration = 600.0
    patience: int = Field(default=0, ge=0)
    log_every: int = Field(default=10, ge=1)
    trackers: tuple[str, ...] = ()
    on_nonfinite: Literal["stop", "skip"] = "stop"
    skip_limit: int = Field(default=10, ge=1)
    mean: tuple[float, float, float] = IMAGENET_NORMALIZATION.mean  # type: ignore[assignment]
    std: tuple[float, float, float] = IMAGENET_NORMALIZATION.std  # type: ignore[assignment]


class ClassifyRecipe(ClassifyConfig):
    """A `ClassifyConfig` without blanks; see there for the attributes."""

    stem_stride: Literal[4, 2, 1]
    crop_size: int
    eval_size: int
    crop_share: float
    batch_size: int
    max_steps: int
    learning_rate: float
    warmup_steps: int
    precision: Precision
    device: Device
    num_workers: int
    validate_every: int


def build_classify_config(values: Mapping[str, Any]) -> ClassifyConfig:
    """Check a flat mapping of arguments.

    The `config.yaml` of an earlier run is understood as well; its `warmup_steps` follow from
    `warmup_epochs` anew.

    Raises:
        UsageError: One line that names the argument, its value and what it should be.
    """
    values = {name: value for name, value in values.items() if name != "warmup_steps"}
    return check_options(ClassifyConfig, values, "classification option")
