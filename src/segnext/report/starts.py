"""What the random start of the decomposition is worth: the score by other first bases.

The authors draw them anew at every call, so their scores differ from run to run. Ours are stored
with the weights. Here they are drawn as the authors do, from a seed.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import mean, stdev

import torch
from torch import Tensor, nn

from segnext.data.reading import LabelledImages
from segnext.errors import UsageError
from segnext.inference import score_images
from segnext.inference.backends.runner import ModuleRunner
from segnext.metrics import compute_metrics
from segnext.models.decompositions import Decomposition
from segnext.report.figures import Starts
from segnext.report.observing import Subject


def measure_starts(
    subject: Subject,
    images: LabelledImages,
    *,
    seeds: int,
    fixed: float,
    on_image: Callable[[int, int], None] = lambda _done, _total: None,
) -> Starts:
    """Score a model with first bases that are drawn anew at every call of the network.

    Args:
        subject: The model.
        images: The split.
        seeds: How many times, with seeds from 0.
        fixed: mIoU by the stored start.
        on_image: Called with pictures done and in all, over all seeds.

    Raises:
        UsageError: As `check_starts`.
    """
    decompositions = check_starts(subject, seeds)
    drawn = []
    for seed in range(seeds):
        before = seed * len(images)
        with draw_starts(decompositions, seed):
            counts = score_images(
                subject.networks,
                subject.spec,
                images,
                on_image=lambda done, before=before: on_image(  # type: ignore[misc]
                    before + done, seeds * len(images)
                ),
            ).counts
        drawn.append(compute_metrics(counts).miou)
    return Starts(fixed, tuple(drawn), mean(drawn), stdev(drawn) if seeds > 1 else None)


def check_starts(subject: Subject, seeds: int) -> list[Decomposition]:
    """Return the decompositions of a model.

    Raises:
        UsageError: There are none, the backend does not run the model itself, or `seeds` is
            below 1.
    """
    if seeds < 1:
        msg = f"--seeds {seeds}: at least 1"
        raise UsageError(msg)
    found = []
    for network in subject.networks:
        module = network.module if isinstance(network, ModuleRunner) else None
        if network.name != "eager" or not isinstance(module, nn.Module):
            msg = (
                f"--seeds needs weights in the backend eager and in float32, so that bases can be "
                f"drawn; {subject.name} runs in {network.name}"
            )
            raise UsageError(msg)
        found += [part for part in module.modules() if isinstance(part, Decomposition)]
    if not found:
        msg = f"--seeds: {subject.name} has no decomposition, so nothing in it is drawn"
        raise UsageError(msg)
    return found


@contextmanager
def draw_starts(decompositions: Sequence[Decomposition], seed: int) -> Iterator[None]:
    """Let decompositions start from other bases at every call; the stored ones come back after."""
    generator = torch.Generator().manual_seed(seed)
    stored = [decomposition.initial_bases.clone() for decomposition in decompositions]

    def redraw(module: nn.Module, _inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(module, Decomposition)
        numbers = torch.rand(module.initial_bases.shape, generator=generator)
        module.initial_bases.copy_(module.make_bases(numbers))

    hooks = [part.register_forward_pre_hook(redraw) for part in decompositions]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        with torch.no_grad():
            for part, bases in zip(decompositions, stored, strict=True):
                part.initial_bases.copy_(bases)
