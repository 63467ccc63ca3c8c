import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from runs import TINY
from segnext.data import Folder, open_folder
from segnext.protocol import Protocol
from segnext.training.config import Recipe, TrainConfig
from segnext.training.learner import (
    Batch,
    Learner,
    build_learner,
    build_model,
    build_protocol,
    build_spec,
)
from segnext.training.planning import make_plan
from segnext.training.processes import Processes


@pytest.fixture(scope="module")
def data(scenes: Path) -> Folder:
    return open_folder(scenes)


@pytest.fixture(scope="module")
def recipe(scenes: Path, data: Folder) -> Recipe:
    config = TrainConfig(data=scenes, **{**TINY, "batch_size": 4, "max_steps": 3})
    return make_plan(config, data, Processes.alone()).recipe


def learn(
    recipe: Recipe, data: Folder, steps: int = 2, **options: Any
) -> tuple[Learner, list[Any]]:
    learner = build_learner(recipe.model_copy(update=options), data, Processes.alone())
    results = []
    for step, batch in enumerate(learner.batches(0)):
        if step == steps:
            break
        results.append(learner.learn(step, batch))
    return learner, results


def parameters(learner: Learner) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in learner.model.named_parameters()}


@pytest.mark.parametrize(
    "loss",
    ["cross_entropy", {"cross_entropy": 1, "dice": 1, "lovasz": 0.5}, "ohem", "focal", "boundary"],
)
def test_parts_of_a_batch_add_up_to_its_loss(recipe: Recipe, data: Folder, loss: Any) -> None:
    # Batch statistics alone depend on the parts; frozen ones do not.
    options = {"loss": loss, "freeze": ("encoder.",), "class_weights": "none"}
    _, (one, *_) = learn(recipe, data, 1, **options)
    _, (three, *_) = learn(recipe, data, 1, accumulate=3, **options)
    assert three.loss == pytest.approx(one.loss, rel=1e-5)
    assert three.gradient_norm == pytest.approx(one.gradient_norm, rel=1e-4)


def test_frozen_parts_and_their_statistics_stay(recipe: Recipe, data: Folder) -> None:
    learner = build_learner(
        recipe.model_copy(update={"freeze": ("encoder.stages.0", "decoder.squeeze")}),
        data,
        Processes.alone(),
    )
    before = {name: value.clone() for name, value in learner.model.state_dict().items()}
    for step, batch in enumerate(learner.batches(0)):
        learner.learn(step, batch)
    for name, value in learner.model.state_dict().items():
        frozen = name.startswith(("encoder.stages.0", "decoder.squeeze"))
        if frozen:
            assert torch.equal(value, before[name]), name
    moved = learner.model.state_dict()["encoder.stages.1.blocks.0.norm1.running_mean"]
    assert not torch.equal(moved, before["encoder.stages.1.blocks.0.norm1.running_mean"])


def test_gradients_are_clipped_to_the_norm(recipe: Recipe, data: Folder) -> None:
    learner, (result,) = learn(recipe, data, 1, clip_norm=0.01)
    norms = [p.grad.norm() for p in learner.model.parameters() if p.grad is not None]
    assert result.gradient_norm > 0.02  # before clipping
    assert torch.stack(norms).norm() == pytest.approx(0.01, rel=1e-3)


def test_what_is_not_finite_moves_no_weight(recipe: Recipe, data: Folder) -> None:
    learner = build_learner(recipe, data, Processes.alone())
    batch = next(iter(learner.batches(0)))
    before = parameters(learner)
    broken = Batch(torch.full_like(batch.images, float("nan")), batch.masks, batch.places)
    result = learner.learn(0, broken)
    assert not result.finite
    assert all(torch.equal(value, before[name]) for name, value in parameters(learner).items())


def test_half_precision_scales_its_gradients(recipe: Recipe, data: Folder) -> None:
    learner, results = learn(recipe, data, precision="fp16")
    assert learner.scaler.is_enabled()
    assert learner.scaler.get_scale() > 1
    _, exact = learn(recipe, data)
    assert results[0].loss == pytest.approx(exact[0].loss, rel=0.05)
    assert all(result.finite for result in results)


def test_an_overflow_in_half_precision_skips_the_step(recipe: Recipe, data: Folder) -> None:
    learner = build_learner(
        recipe.model_copy(update={"precision": "fp16"}), data, Processes.alone()
    )
    learner.scaler._init_scale = 2.0**40
    before = parameters(learner)
    result = learner.learn(0, next(iter(learner.batches(0))))
    assert result.finite  # the loss is; only its scaled gradient is not
    assert all(torch.equal(value, before[name]) for name, value in parameters(learner).items())
    assert learner.scaler.get_scale() == 2.0**39


def test_the_pictures_of_a_step_are_known(recipe: Recipe, data: Folder) -> None:
    learner = build_learner(recipe, data, Processes.alone())
    names = {item.image_path.name for item in data.dataset("train").items}
    assert len(learner.picture_names(0)) == 4
    assert set(learner.picture_names(0) + learner.picture_names(1)) == names


def test_a_recipe_is_validated_by_its_own_sizes_or_by_a_named_protocol(
    recipe: Recipe, data: Folder
) -> None:
    told = recipe.model_copy(update={"base_size": (96, 64), "window": 64, "stride": 48})
    assert build_protocol(told, data) == Protocol(short_side=64, window=64, stride=48)
    named = recipe.model_copy(update={"base_size": (96, 64), "protocol": "authors"})
    of_ade20k = dataclasses.replace(data, format="ade20k")
    box = build_protocol(named, of_ade20k)
    assert (box.box, box.resize_to_multiple, box.steps) == ((2048, 512), 32, 2)
    assert build_protocol(named, data).box is None  # rules of no known data set
    default = recipe.model_copy(update={"base_size": (96, 64), "protocol": "default"})
    assert build_protocol(default, data) == Protocol(short_side=64, resize_to_multiple=32)


def test_terms_are_those_stated_or_those_of_the_known_data_set(
    recipe: Recipe, data: Folder
) -> None:
    model = build_model(recipe, data)
    assert build_spec(recipe, data, model).license == "unstated"
    camvid = dataclasses.replace(data, format="camvid")
    found = build_spec(recipe, camvid, model).license
    assert found == "trained on CamVid, 11 classes: research only"
    stated = recipe.model_copy(update={"license": "mine"})
    assert build_spec(stated, camvid, model).license == "mine"
