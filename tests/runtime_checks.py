"""What the tests of runtimes run in a process of its own: a converted model against PyTorch."""

import json

import torch

from conftest import SMALLEST
from lively_models import enliven
from segnext.inference import open_runner
from segnext.models import SegNeXt, SegNeXtConfig


def compare(backend: str, sizes: tuple[tuple[int, ...], ...]) -> None:
    """Print as JSON how far a backend's logits and labels are from the model's, over all sizes.

    A label may differ where two logits are equal but for rounding, which depends on the processor.
    """
    model = enliven(SegNeXt(SegNeXtConfig(num_classes=4, **SMALLEST)))
    runner = open_runner(model, backend=backend, device="cpu", threads=1)
    differences, unequal = [], []
    for index, size in enumerate(sizes):
        images = torch.randn(size, generator=torch.Generator().manual_seed(index))
        with torch.no_grad():
            expected = open_runner(model, backend="eager", device="cpu").run(images)
            labels = open_runner(model, backend="eager", device="cpu").run(images, "labels")
        logits = runner.run(images)
        assert logits.shape == expected.shape
        differences.append(float((logits - expected).abs().max()))
        unequal.append(int((runner.run(images, "labels") != labels).sum()))
        # The same memory must not be handed out twice.
        assert torch.equal(runner.run(images), logits)
    found = {"name": runner.name, "difference": max(differences), "unequal": max(unequal)}
    print(json.dumps(found))
