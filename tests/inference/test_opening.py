from dataclasses import replace
from pathlib import Path

import pytest
import torch

from conftest import SMALLEST
from segnext.errors import UsageError
from segnext.inference import Runner, open_networks, open_runner
from segnext.models import SegNeXt, SegNeXtConfig
from segnext.weights import describe_model, load_model, save_model


def test_weights_models_and_runners(scene_weights: Path) -> None:
    model = load_model(scene_weights)
    runner = open_runner(model, backend="folded", device="cpu")
    for source in (scene_weights, str(scene_weights), model, runner):
        (network,) = open_networks(source, backend="folded", device="cpu")
        assert isinstance(network, Runner)
        assert network.spec == model.spec
    several = open_networks([scene_weights, model, runner], backend="eager", device="cpu")
    assert [network.name for network in several] == ["eager", "eager", "folded"]
    images = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(several[0].run(images), several[2].run(images), atol=1e-3, rtol=0)


def test_without_a_backend_a_model_runs_as_it_was_trained(scene_weights: Path) -> None:
    (network,) = open_networks(scene_weights, backend=None, device="cpu")
    assert network.name == "eager"


def test_networks_of_other_classes_do_not_answer_together(
    scene_weights: Path, tmp_path: Path
) -> None:
    model = SegNeXt(SegNeXtConfig(num_classes=2, **SMALLEST))
    other = save_model(model, tmp_path / "two.safetensors", describe_model(model))
    with pytest.raises(UsageError, match="must have the same classes and normalisation"):
        open_networks([scene_weights, other], device="cpu")


def test_what_cannot_be_opened(smallest_model: SegNeXt, scene_weights: Path) -> None:
    with pytest.raises(UsageError, match="no weights given"):
        open_networks([])
    with pytest.raises(UsageError, match="the model does not know its classes"):
        open_networks(smallest_model, device="cpu")
    with pytest.raises(UsageError, match="unknown backend 'tensorrt'"):
        open_networks(scene_weights, backend="tensorrt")


def test_a_runner_carries_the_spec_of_its_model(scene_weights: Path) -> None:
    model = load_model(scene_weights)
    assert model.spec is not None
    model.spec = replace(model.spec, score={"miou": 0.5})
    assert open_runner(model, backend="eager", device="cpu").spec == model.spec
