"""What a step of a recipe takes on this machine, found by doing it."""

import time
from statistics import median

import psutil
import torch
from torch import Tensor

from segnext.data import Folder
from segnext.inference import compute_mask, compute_picture_logits
from segnext.training.config import Recipe
from segnext.training.learner import Learner, build_learner
from segnext.training.processes import Processes
from segnext.training.situation import Memory, Timing

TIMED_STEPS = 3
# Adam keeps two values per weight; with the weight, its gradient and its average that makes five.
COPIES = 5


class StepMeter:
    """Measures recipes on real pictures, and forgets the weights.

    Args:
        data: What is trained on.
        processes: How many will train together; measured is one process's share of a batch.
    """

    def __init__(self, data: Folder, processes: Processes) -> None:
        self.data = data
        self.processes = processes

    def memory(self, recipe: Recipe) -> Memory:
        """Count what one picture leaves for the backward pass, and what is free."""
        learner = self._learner(recipe, pictures=2, steps=1)
        batch = next(iter(learner.batches(0)))
        kept: dict[int, int] = {}

        def count(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            logits = learner.model(batch.images)
        weights = sum(value.nbytes for value in learner.model.state_dict().values())
        own = {value.untyped_storage().data_ptr() for value in learner.model.parameters()}
        saved = sum(size for place, size in kept.items() if place not in own)
        # The largest layer's gradient lives beside what was saved; a quarter covers it.
        picture = int(1.25 * saved / len(batch.images)) + 2 * logits[0].nbytes
        return Memory(fixed=COPIES * weights, picture=picture, free=free_memory(learner.device))

    def speed(self, recipe: Recipe) -> Timing:
        """Time a few steps after a first one that warms up, and one picture's validation."""
        pictures = max(1, recipe.batch_size // self.processes.count)
        learner = self._learner(recipe, pictures=pictures, steps=TIMED_STEPS + 1)
        steps = []
        for step, batch in enumerate(learner.batches(0)):
            start = time.perf_counter()
            learner.learn(step, batch)
            steps.append(time.perf_counter() - start)
        val = self.data.dataset("val")
        image, spec = val.image(len(val) // 2), learner.spec
        for _ in range(2):  # the first one warms up
            start = time.perf_counter()
            compute_mask(
                compute_picture_logits(learner.average, image, spec.normalization, spec.protocol)
            )
            picture = time.perf_counter() - start
        return Timing(median(steps[1:]), picture / self.processes.count)

    def _learner(self, recipe: Recipe, *, pictures: int, steps: int) -> Learner:
        small = {"batch_size": max(pictures, recipe.accumulate), "max_steps": steps}
        return build_learner(recipe.model_copy(update=small), self.data, Processes.alone())


def free_memory(device: torch.device) -> int:
    """Return the bytes that a device has left for us."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        return torch.mps.recommended_max_memory()
    return int(psutil.virtual_memory().available)
