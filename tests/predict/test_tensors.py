from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from segnext.errors import UsageError
from segnext.inference import open_runner
from segnext.inference.backends.runner import ModuleRunner
from segnext.inference.description import GraphDescription
from segnext.predict import Predictor
from segnext.protocol import Protocol
from segnext.weights import load_model
from simulated_device import DEVICE, OnDevice, simulated_device

PROTOCOLS = {
    "whole": Protocol(),
    "multiples": Protocol(resize_to_multiple=32),
    "windows": Protocol(window=64, stride=32),
    "blended": Protocol(window=64, stride=32, overlap="blend"),
    "many views": Protocol(scales=(1.0, 1.5), flip=True),
    "two steps": Protocol(short_side=64, steps=2),
}


@pytest.fixture(scope="module")
def batch() -> Tensor:
    return torch.randint(0, 256, (3, 3, 70, 90), dtype=torch.uint8)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_batch_has_the_labels_of_its_pictures(
    scene_weights: Path, batch: Tensor, name: str
) -> None:
    predictor = Predictor(scene_weights, backend="eager", device="cpu", protocol=PROTOCOLS[name])
    before = batch.clone()
    found = predictor.predict_tensors(batch)
    assert found.labels.shape == (3, 70, 90)
    assert found.labels.dtype == torch.uint8
    for picture, labels, confidence in zip(batch, found.labels, found.confidence, strict=True):
        alone = predictor(picture)
        assert np.array_equal(labels.numpy(), alone.mask)
        assert np.allclose(confidence.numpy(), alone.confidence, atol=1e-6)
    assert torch.equal(predictor.predict_tensors(batch.float() / 255).labels, found.labels)
    assert torch.equal(batch, before)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_nothing_leaves_the_device(scene_weights: Path, batch: Tensor, name: str) -> None:
    model = load_model(scene_weights)
    on_cpu = open_runner(model, backend="eager", device="cpu")

    def compute(images: Tensor) -> Tensor:
        assert isinstance(images, OnDevice)
        return OnDevice(on_cpu.compute(images.inside))

    runner = ModuleRunner("simulated", compute, on_cpu.channels, DEVICE)
    runner.spec = model.spec
    expected = Predictor(on_cpu, protocol=PROTOCOLS[name]).predict_tensors(batch)
    # A tensor of the simulation belongs to the mode in which it was made, here the prediction's.
    with torch.inference_mode(), simulated_device() as put:
        there = put(batch.clone())
        found = Predictor(runner, protocol=PROTOCOLS[name]).predict_tensors(there)
        confidence = found.confidence
    for kept, wanted in ((found.labels, expected.labels), (confidence, expected.confidence)):
        assert isinstance(kept, OnDevice)
        assert torch.equal(kept.inside, wanted)


def test_the_simulated_device_notices_what_leaves_it() -> None:
    with simulated_device() as put:
        there = put(torch.ones(3))
        with pytest.raises(AssertionError, match="to the CPU"):
            there.cpu()
        with pytest.raises(AssertionError, match="to the CPU"):
            torch.zeros(3).copy_(there)
        with pytest.raises(AssertionError, match="mixes devices"):
            there + torch.ones(3)
        with pytest.raises(RuntimeError, match="numpy"):
            there.numpy()


def test_pictures_are_views_of_the_batch(
    scene_weights: Path, batch: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = Predictor(scene_weights, backend="eager", device="cpu")
    seen: list[Tensor] = []
    compute = predictor._stacker.compute

    def watch(images: list[Tensor]) -> object:
        seen.extend(images)
        return compute(images)

    monkeypatch.setattr(predictor._stacker, "compute", watch)
    predictor.predict_tensors(batch)
    assert [one.data_ptr() for one in seen] == [one.data_ptr() for one in batch]


def test_labels_may_be_written_to(scene_weights: Path, batch: Tensor) -> None:
    found = Predictor(scene_weights, backend="eager", device="cpu").predict_tensors(batch)
    found.labels[found.labels == 0] = 7
    found.confidence.mul_(2)
    assert not (found.labels == 0).any()


def test_files_that_give_labels_are_refused(scene_weights: Path, batch: Tensor) -> None:
    spec = load_model(scene_weights).spec
    assert spec is not None
    runner = ModuleRunner("labels", lambda images: images, 3, torch.device("cpu"))
    runner.describe_as(GraphDescription(spec, output="labels"))
    with pytest.raises(UsageError, match="export with --output logits"):
        Predictor(runner).predict_tensors(batch)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(3, 40, 40), r"must be \(B, C, H, W\), uint8 or floats in 0-1, got \(3, 40"),
        (torch.zeros(0, 3, 40, 40), r"got \(0, 3, 40, 40\)"),
        (torch.zeros(1, 3, 40, 40, dtype=torch.int64), "torch.int64"),
        (torch.zeros(1, 4, 40, 40), "have 4 channels, the model was trained on 3"),
        (torch.full((1, 3, 40, 40), 2.0), "not normalised; got 2 to 2"),
        (torch.full((1, 3, 40, 40), torch.nan), "not normalised; got nan to nan"),
        (torch.zeros(1, 3, 40, 40, device="meta"), "lies on meta, the model on cpu"),
    ],
)
def test_wrong_batches_are_named(scene_weights: Path, images: Tensor, message: str) -> None:
    predictor = Predictor(scene_weights, backend="eager", device="cpu")
    with pytest.raises(UsageError, match=message):
        predictor.predict_tensors(images)
