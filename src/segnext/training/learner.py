"""What learns: model, moving average, optimizer, and the batches they see."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import Tensor

from segnext.data import FolderDataset
from segnext.data.loader import SampleStream, build_train_loader
from segnext.data.transforms import Augmentation, TrainTransform
from segnext.inference import place_model
from segnext.models import SegNeXt
from segnext.spec import ModelSpec
from segnext.training.average import WeightAverage
from segnext.training.config import Recipe
from segnext.training.losses import CrossEntropy
from segnext.training.objective import Objective, seed_step
from segnext.training.optimizer import build_optimizer, schedule_factor, set_learning_rate


@dataclass(frozen=True)
class Splits:
    """What a run learns from and is measured on."""

    train: FolderDataset
    val: FolderDataset


class Learner:
    """Model, moving average and optimizer of a run.

    Args:
        recipe: Every option, resolved.
        model: Trained in place.
        spec: What the model's inputs and outputs mean.
        train: The training split.

    Attributes:
        average: The moving average of the model's weights, always in evaluation mode.
        device: Where everything lives.
        optimizer: AdamW over the model's parameters.
    """

    def __init__(
        self, recipe: Recipe, *, model: SegNeXt, spec: ModelSpec, train: FolderDataset
    ) -> None:
        self.recipe = recipe
        self.spec = spec
        self.train = train
        self._accelerator = Accelerator(cpu=recipe.device == "cpu")
        self.device: torch.device = self._accelerator.device
        self.average = SegNeXt(model.config)
        self.average.load_state_dict(model.state_dict())
        place_model(self.average, self.device).eval()
        self.model = place_model(model, self.device).train()
        self.optimizer = build_optimizer(
            model,
            learning_rate=recipe.learning_rate,
            decoder_lr_factor=recipe.decoder_lr_factor,
            weight_decay=recipe.weight_decay,
            groups=recipe.groups,
        )
        objective = Objective(
            model,
            CrossEntropy(ignore_index=spec.classes.ignore_index, mean=recipe.loss_mean),
            mixed=recipe.precision == "bf16",
        )
        self._objective, self._stepper = self._accelerator.prepare(objective, self.optimizer)
        self._averaging = WeightAverage(self.average, recipe.ema_decay)

    @property
    def learning_rate(self) -> float:
        """The encoder's learning rate of the latest step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def batches(self, start_step: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of the run from `start_step` on, on the device."""
        recipe = self.recipe
        augmentation = Augmentation(
            recipe.crop_size,
            base_size=recipe.base_size,
            scale_range=recipe.scale_range,
            flip=recipe.flip,
            photometric=recipe.photometric,
        )
        transform = TrainTransform(
            augmentation, self.spec.normalization, ignore_index=self.spec.classes.ignore_index
        )
        length = recipe.max_steps * recipe.batch_size
        stream = SampleStream(self.train, transform, seed=recipe.seed, length=length)
        loader = build_train_loader(
            stream,
            batch_size=recipe.batch_size,
            start_step=start_step,
            num_workers=recipe.num_workers,
        )
        for images, masks in loader:
            yield (
                images.to(self.device, memory_format=torch.channels_last, non_blocking=True),
                masks.to(self.device, non_blocking=True),
            )

    def learn(self, step: int, images: Tensor, masks: Tensor) -> Tensor:
        """Do optimizer step number `step` and move the average.

        Args:
            step: From 0; gives the learning rate and seeds the step's own randomness.
            images: (B, C, h, w), normalised.
            masks: (B, h, w) train ids.

        Returns:
            The loss, a detached scalar that stays on the device.
        """
        recipe = self.recipe
        factor = schedule_factor(
            step,
            max_steps=recipe.max_steps,
            warmup_steps=recipe.warmup_steps,
            poly_power=recipe.poly_power,
        )
        set_learning_rate(self.optimizer, factor)
        seed_step(recipe.seed, step)
        self._stepper.zero_grad(set_to_none=True)
        loss: Tensor = self._objective(images, masks)
        self._accelerator.backward(loss)
        self._stepper.step()
        self._averaging.update(self.model, step)
        return loss.detach()
