"""What learns to classify: model, moving average, optimizer, and the batches they see."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn import functional

from segnext.classification.augmentation import CropRule, PhotoAugmentation, mean_color
from segnext.classification.config import ClassifyRecipe
from segnext.classification.files import ClassifierSpec
from segnext.classification.mixing import MixRule, draw_mix, mix_images, mix_targets
from segnext.classification.photos import PhotoStream
from segnext.classification.randaugment import RandAugment
from segnext.data.datasets.imagenet import ImageSplit
from segnext.data.loader import build_train_loader, deliver
from segnext.data.watching import Patience
from segnext.models import Classifier, create_classifier
from segnext.models.randomness import keyed_randomness, sample_keys
from segnext.training.average import WeightAverage
from segnext.training.gradient_step import GradientStep, StepResult, split_evenly
from segnext.training.objective import AUTOCAST
from segnext.training.optimizer import build_optimizer, set_learning_rate
from segnext.training.processes import Processes
from segnext.training.sync_batch_norm import synchronize_batch_norm


@dataclass(frozen=True)
class PhotoBatch:
    """This process's share of one optimizer step's samples.

    Attributes:
        images: (B, 3, S, S), normalised, on the device.
        labels: (B,) classes, on the device.
    """

    images: Tensor
    labels: Tensor


class ClassifierObjective(nn.Module):
    """Images and soft targets to a loss.

    One module, because a distributed wrapper only sees what goes through its own `forward`.

    Args:
        model: Images to logits.
        precision: `fp32`, or the type that the model runs in where autocast allows; the loss
            stays in float32.
    """

    def __init__(self, model: Classifier, *, precision: str = "fp32") -> None:
        super().__init__()
        self.model = model
        self.dtype = AUTOCAST[precision]

    def forward(self, images: Tensor, targets: Tensor, keys: Tensor, photos: int) -> Tensor:
        """Compute a part's contribution to the cross-entropy of a batch.

        Args:
            images: (B, 3, S, S) of the part.
            targets: (B, K) of the part; rows add up to 1.
            keys: (B,) for the randomness of each sample.
            photos: In the whole batch.
        """
        kind = images.device.type
        with (
            keyed_randomness(keys),
            torch.autocast(kind, self.dtype, enabled=self.dtype is not None),
        ):
            logits = self.model(images)
        loss: Tensor = -(targets * functional.log_softmax(logits.float(), dim=1)).sum() / photos
        return loss


class ClassifierLearner:
    """Model, moving average and optimizer of a run.

    Args:
        recipe: Every option, resolved.
        model: Trained in place.
        spec: What the model's inputs and outputs mean.
        train: The training split.
        processes: Those that train together.

    Attributes:
        average: The moving average of the model's weights, always in evaluation mode.
        device: Where everything lives.
        optimizer: AdamW over the model's parameters.
        scaler: Keeps small gradients above zero in fp16; does nothing otherwise.
    """

    def __init__(
        self,
        recipe: ClassifyRecipe,
        *,
        model: Classifier,
        spec: ClassifierSpec,
        train: ImageSplit,
        processes: Processes,
    ) -> None:
        self.recipe = recipe
        self.spec = spec
        self.processes = processes
        accelerator = Accelerator(cpu=recipe.device == "cpu")
        self.device: torch.device = accelerator.device
        self.average = Classifier(model.config)
        self.average.load_state_dict(model.state_dict())
        _place(self.average, self.device).eval()
        if processes.count > 1:
            synchronize_batch_norm(model)
        self.model = _place(model, self.device).train()
        self.optimizer = build_optimizer(
            model,
            learning_rate=recipe.learning_rate,
            decoder_lr_factor=1.0,
            weight_decay=recipe.weight_decay,
        )
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=recipe.precision == "fp16")
        self._objective: nn.Module = ClassifierObjective(model, precision=recipe.precision)
        if processes.count > 1:
            wrapped: Any = accelerator.prepare(self._objective)
            # The norms share batch statistics themselves, so every process has the same.
            wrapped.broadcast_buffers = False
            self._objective = wrapped
        self._gradient_step = GradientStep(
            model=model,
            objective=self._objective,
            optimizer=self.optimizer,
            scaler=self.scaler,
            averaging=WeightAverage(self.average, recipe.ema_decay),
            accelerator=accelerator,
            processes=processes,
            clip_norm=recipe.clip_norm,
            sharded=False,
        )
        self._mix_rule = build_mix_rule(recipe)
        self.stream = PhotoStream(
            train,
            build_augmentation(recipe, spec),
            seed=recipe.seed,
            batch_size=recipe.batch_size,
            length=recipe.max_steps * recipe.batch_size,
            repeats=recipe.repeats,
        )

    @property
    def learning_rate(self) -> float:
        """The learning rate of the latest step."""
        return float(self.optimizer.param_groups[0]["lr"])

    @property
    def places(self) -> range:
        """Which samples of a batch this process takes: whole pairs, where they are mixed."""
        size = self.recipe.batch_size
        if not self._mix_rule.active:
            return self.processes.share(size)
        pairs = self.processes.share(size // 2)
        return range(2 * pairs.start, 2 * pairs.stop)

    def batches(
        self, start_step: int, tell: Callable[[str], None] = lambda _: None
    ) -> Iterator[PhotoBatch]:
        """Yield this process's batches of the run from `start_step` on, on the device.

        Args:
            start_step: Steps already done.
            tell: Gets a line about a reading worker that is slow.
        """
        loader = build_train_loader(
            self.stream,
            batch_size=self.recipe.batch_size,
            share=self.places,
            start_step=start_step,
            num_workers=self.recipe.num_workers,
            patience=Patience(self.recipe.worker_slow, self.recipe.worker_hung),
        )
        for images, labels in deliver(loader, tell):
            yield PhotoBatch(
                images.to(self.device, memory_format=torch.channels_last, non_blocking=True),
                labels.to(self.device, non_blocking=True),
            )

    def picture_names(self, step: int) -> list[str]:
        """Return which photos a step's whole batch shows."""
        size = self.recipe.batch_size
        return [self.stream.picture_of(number) for number in range(step * size, (step + 1) * size)]

    def learn(self, step: int, batch: PhotoBatch) -> StepResult:
        """Do optimizer step number `step` and move the average.

        Loss and gradients are those of the whole batch, whatever its division over processes and
        parts, but for the batch statistics of parts (`accumulate`).

        Args:
            step: From 0; gives the learning rate and seeds the mixing and the step's randomness.
            batch: This process's share.
        """
        recipe = self.recipe
        rate = cosine_rate(
            step,
            peak=recipe.learning_rate,
            floor=recipe.min_learning_rate,
            max_steps=recipe.max_steps,
            warmup_steps=recipe.warmup_steps,
        )
        set_learning_rate(self.optimizer, rate / recipe.learning_rate)
        mix = draw_mix(self._mix_rule, recipe.seed, step, recipe.crop_size)
        images = mix_images(batch.images, mix)
        classes = self.model.config.num_classes
        targets = mix_targets(batch.labels, mix, classes, recipe.label_smoothing)
        keys = sample_keys(recipe.seed, step, self.places).to(self.device)

        def compute(part: slice) -> Tensor:
            loss: Tensor = self._objective(
                images[part], targets[part], keys[part], recipe.batch_size
            )
            return loss

        parts = split_evenly(len(targets), recipe.accumulate)
        return self._gradient_step.take(step, [partial(compute, part) for part in parts])


def cosine_rate(
    step: int, *, peak: float, floor: float, max_steps: int, warmup_steps: int
) -> float:
    """Return the learning rate of a step: linear warm-up, then half a cosine (arXiv 1608.03983).

    Args:
        step: Optimizer step, from 0.
        peak: Rate at the end of warm-up.
        floor: Rate at step 0 (with a warm-up) and at `max_steps`.
        max_steps: At which the floor would be reached again.
        warmup_steps: Steps of warm-up.
    """
    floor = min(floor, peak)
    if step < warmup_steps:
        return floor + (peak - floor) * step / warmup_steps
    done = (step - warmup_steps) / max(1, max_steps - warmup_steps)
    return floor + (peak - floor) * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))


def build_classifier(recipe: ClassifyRecipe, classes: int) -> Classifier:
    """Build the model of a recipe with newly drawn weights, the same in every process."""
    torch.manual_seed(recipe.seed)
    options: dict[str, Any] = {"stem_stride": recipe.stem_stride, "dropout": recipe.dropout}
    if recipe.drop_path is not None:
        options["drop_path_rate"] = recipe.drop_path
    return create_classifier(recipe.model, num_classes=classes, **recipe.model_options, **options)


def build_augmentation(recipe: ClassifyRecipe, spec: ClassifierSpec) -> PhotoAugmentation:
    """Return what a recipe does to photos."""
    red, green, blue = mean_color(spec.normalization).tolist()
    operations = RandAugment(
        recipe.randaugment, recipe.magnitude, recipe.magnitude_std, (red, green, blue)
    )
    return PhotoAugmentation(
        crop=CropRule(
            recipe.crop_size,
            recipe.crop,
            recipe.scale_range,
            recipe.ratio_range,
            recipe.interpolation,
            recipe.padding,
        ),
        flip=recipe.flip,
        randaugment=operations if recipe.randaugment else None,
        erasing=recipe.erasing,
        normalization=spec.normalization,
    )


def build_mix_rule(recipe: ClassifyRecipe) -> MixRule:
    """Return how a recipe mixes batches."""
    return MixRule(recipe.mixup, recipe.cutmix, recipe.mix_probability, recipe.mix_switch)


def _place(model: Classifier, device: torch.device) -> Classifier:
    model.to(device)
    # Depthwise convolutions are fastest with channels last, on CPUs and on GPUs alike.
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
