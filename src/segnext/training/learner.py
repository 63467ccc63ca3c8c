"""What learns: model, moving average, optimizer, and the batches they see."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from segnext.data import Folder, FolderDataset
from segnext.data.datasets.registry import DATASETS
from segnext.data.loader import SampleStream, build_train_loader, deliver
from segnext.data.transforms import Augmentation, TrainTransform
from segnext.data.unlabelled import WithUnlabelled
from segnext.data.watching import Patience
from segnext.inference import place_model
from segnext.inference.protocols import find_dataset, named_protocol
from segnext.models import SegmentationModel, create_model
from segnext.models.randomness import sample_keys
from segnext.protocol import GREATEST_STRIDE, Protocol
from segnext.spec import ModelSpec, Normalization
from segnext.training.average import WeightAverage
from segnext.training.config import UNSTATED, Recipe
from segnext.training.distillation import Teacher, build_teacher
from segnext.training.gradient_step import GradientStep, StepResult, split_evenly
from segnext.training.losses import Loss, build_loss
from segnext.training.objective import Objective
from segnext.training.optimizer import (
    build_optimizer,
    freeze_parameters,
    schedule_factor,
    set_learning_rate,
    set_training_mode,
)
from segnext.training.processes import Processes
from segnext.training.sharding import check_shardable, shard_model
from segnext.training.sync_batch_norm import synchronize_batch_norm
from segnext.weights import load_model


@dataclass(frozen=True)
class Batch:
    """This process's share of one optimizer step's samples.

    Attributes:
        images: (B, C, h, w), normalised, on the device.
        masks: (B, h, w) train ids, on the device.
        places: Of these samples within the whole batch.
        problems: Why other pictures are shown than were due, a line for each.
    """

    images: Tensor
    masks: Tensor
    places: range
    problems: tuple[str, ...] = ()


class Learner:
    """Model, moving average and optimizer of a run.

    Args:
        recipe: Every option, resolved.
        model: Trained in place.
        spec: What the model's inputs and outputs mean.
        train: The training split.
        processes: Those that train together.

    Attributes:
        train: The training split.
        average: The moving average of the model's weights, always in evaluation mode; sharded
            with the model, so `gather_model` comes before its use.
        device: Where everything lives.
        optimizer: AdamW over the model's parameters.
        scaler: Keeps small gradients above zero in fp16; does nothing otherwise.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        model: SegmentationModel,
        spec: ModelSpec,
        train: FolderDataset,
        processes: Processes,
    ) -> None:
        self.recipe = recipe
        self.spec = spec
        self.processes = processes
        self._accelerator = Accelerator(cpu=recipe.device == "cpu")
        self.device: torch.device = self._accelerator.device
        self.average = model.rebuild()
        self.average.load_state_dict(model.state_dict())
        place_model(self.average, self.device).eval()
        if processes.count > 1:
            synchronize_batch_norm(model)
        self.model = place_model(model, self.device)
        freeze_parameters(model, recipe.freeze)
        set_training_mode(model, recipe.freeze)
        sharded = recipe.fsdp and processes.count > 1
        if sharded:
            check_shardable(recipe.precision)
            shard_model(model, self.device, processes.count)
            shard_model(self.average, self.device, processes.count)
        self.optimizer = build_optimizer(
            model,
            learning_rate=recipe.learning_rate,
            decoder_lr_factor=recipe.decoder_lr_factor,
            weight_decay=recipe.weight_decay,
            groups=recipe.groups,
            layer_decay=recipe.layer_decay,
            depths=getattr(model.config, "depths", ()),
        )
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=recipe.precision == "fp16")
        self._loss = build_recipe_loss(recipe, spec.classes.ignore_index)
        objective = Objective(
            model, self._loss, precision=recipe.precision, teacher=self._load_teacher()
        )
        self._objective: nn.Module = objective
        if processes.count > 1 and not sharded:
            wrapped: Any = self._accelerator.prepare(objective)
            # The norms share batch statistics themselves, so every process has the same.
            wrapped.broadcast_buffers = False
            self._objective = wrapped
        self._gradient_step = GradientStep(
            model=model,
            objective=self._objective,
            optimizer=self.optimizer,
            scaler=self.scaler,
            averaging=WeightAverage(self.average, recipe.ema_decay),
            accelerator=self._accelerator,
            processes=processes,
            clip_norm=recipe.clip_norm,
            sharded=sharded,
        )
        self.train = train
        self.stream = self._build_stream(train)

    @property
    def learning_rate(self) -> float:
        """The encoder's learning rate of the latest step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def batches(
        self, start_step: int, tell: Callable[[str], None] = lambda _: None
    ) -> Iterator[Batch]:
        """Yield this process's batches of the run from `start_step` on, on the device.

        Args:
            start_step: Steps already done.
            tell: Gets a line about a reading worker that is slow.
        """
        recipe = self.recipe
        places = self.processes.share(recipe.batch_size)
        loader = build_train_loader(
            self.stream,
            batch_size=recipe.batch_size,
            share=places,
            start_step=start_step,
            num_workers=recipe.num_workers,
            patience=Patience(recipe.worker_slow, recipe.worker_hung),
        )
        for images, masks, problems in deliver(loader, tell):
            yield Batch(
                images.to(self.device, memory_format=torch.channels_last, non_blocking=True),
                masks.to(self.device, non_blocking=True),
                places,
                tuple(filter(None, problems)),
            )

    def picture_names(self, step: int) -> list[str]:
        """Return which pictures a step's whole batch shows."""
        size = self.recipe.batch_size
        numbers = range(step * size, (step + 1) * size)
        return [self.stream.images.path(self.stream.index_of(number)).name for number in numbers]

    def learn(self, step: int, batch: Batch, factor: float | None = None) -> StepResult:
        """Do optimizer step number `step` and move the average.

        Loss and gradients are those of the whole batch, whatever its division over processes and
        parts, but for the batch statistics of parts (`accumulate`).

        Args:
            step: From 0; gives the learning rate and seeds the step's own randomness.
            batch: This process's share.
            factor: On all learning rates, instead of the schedule's.
        """
        recipe, processes = self.recipe, self.processes
        scheduled = schedule_factor(
            step,
            max_steps=recipe.max_steps,
            warmup_steps=recipe.warmup_steps,
            poly_power=recipe.poly_power,
        )
        set_learning_rate(self.optimizer, scheduled if factor is None else factor)
        keys = sample_keys(recipe.seed, step, batch.places).to(self.device)
        normalizer = processes.sum(self._loss.normalizer(batch.masks))

        def compute(part: slice) -> Tensor:
            loss: Tensor = self._objective(
                batch.images[part], batch.masks[part], keys[part], normalizer, recipe.batch_size
            )
            return loss

        parts = split_evenly(len(batch.places), recipe.accumulate)
        return self._gradient_step.take(step, [partial(compute, part) for part in parts])

    def _load_teacher(self) -> Teacher | None:
        recipe = self.recipe
        if recipe.teacher is None:
            return None
        model = place_model(load_model(recipe.teacher), self.device)
        return build_teacher(
            model,
            self.spec,
            weight=recipe.teacher_weight,
            temperature=recipe.teacher_temperature,
        )

    def _build_stream(self, train: FolderDataset) -> SampleStream:
        recipe, classes = self.recipe, self.spec.classes
        augmentation = Augmentation(
            recipe.crop_size,
            base_size=recipe.base_size,
            scale_range=recipe.scale_range,
            flip=recipe.flip,
            flip_vertical=recipe.flip_vertical,
            rotate90=recipe.rotate90,
            photometric=recipe.photometric,
            hue=recipe.hue,
            rare_crop=recipe.rare_crop,
            rare_classes=tuple(classes.label_names.index(name) for name in recipe.rare_classes),
        )
        transform = TrainTransform(
            augmentation, self.spec.normalization, ignore_index=classes.ignore_index
        )
        return SampleStream(
            WithUnlabelled(train, recipe.unlabelled) if recipe.unlabelled else train,
            transform,
            seed=recipe.seed,
            length=recipe.max_steps * recipe.batch_size,
            shards=train.shards,
        )


def build_model(recipe: Recipe, data: Folder) -> SegmentationModel:
    """Build the model of a recipe with newly drawn weights, the same in every process."""
    torch.manual_seed(recipe.seed)
    return create_model(
        recipe.model,
        num_classes=data.classes.num_classes,
        in_channels=len(recipe.mean),
        **recipe.model_options,
    )


def build_learner(
    recipe: Recipe, data: Folder, processes: Processes, *, model: SegmentationModel | None = None
) -> Learner:
    """Build the learner of a recipe, by default with newly drawn weights."""
    model = model or build_model(recipe, data)
    return Learner(
        recipe,
        model=model,
        spec=build_spec(recipe, data, model),
        train=data.dataset("train"),
        processes=processes,
    )


def build_spec(recipe: Recipe, data: Folder, model: SegmentationModel) -> ModelSpec:
    """Describe what a run's model is and how pictures are fed to it."""
    return ModelSpec(
        model=recipe.model,
        config=model.config.to_dict(),
        classes=data.classes,
        normalization=Normalization(
            recipe.mean, recipe.std, low=recipe.low, high=recipe.high, nodata=recipe.nodata
        ),
        protocol=build_protocol(recipe, data),
        license=_find_license(recipe, data),
    )


def _find_license(recipe: Recipe, data: Folder) -> str:
    """Return the terms that were stated, else those of the known data set."""
    known = DATASETS.get(data.format or "")
    if recipe.license != UNSTATED or known is None:
        return recipe.license
    return f"trained on {known.title}: {known.license}"


def build_protocol(recipe: Recipe, data: Folder) -> Protocol:
    """Return how pictures are seen in validation, and by the weights from then on.

    Crops have whole multiples of the network's greatest stride. Whole pictures are stretched to
    them, because a side between two multiples moves the coarse features against the fine ones:
    on CamVid (480x360) this alone brings 1.3 points of mIoU (docs/protocols.md).
    """
    ours = Protocol(
        short_side=min(recipe.base_size) if recipe.base_size else None,
        window=recipe.window,
        stride=recipe.stride if recipe.window else None,
        resize_to_multiple=None if recipe.window else GREATEST_STRIDE,
    )
    if recipe.protocol is None:
        return ours
    return named_protocol(recipe.protocol, find_dataset(data.classes, data.format), ours)


def build_recipe_loss(recipe: Recipe, ignore_index: int) -> Loss:
    """Build the loss of a recipe."""
    weights = None if recipe.class_weights == "none" else tuple(recipe.class_weights.values())
    return build_loss(recipe.loss, ignore_index=ignore_index, class_weights=weights)
