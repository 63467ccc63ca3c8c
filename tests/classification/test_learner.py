import math
from pathlib import Path
from typing import Any

import pytest
import torch

from class_photos import SMALLEST, TINY, write_color_photos
from segnext.classification.config import ClassifyRecipe, build_classify_config
from segnext.classification.learner import (
    ClassifierLearner,
    ClassifierObjective,
    build_augmentation,
    build_classifier,
    build_mix_rule,
    cosine_rate,
)
from segnext.classification.planning import StepTiming, resolve
from segnext.classification.run import build_classifier_spec
from segnext.data.datasets.class_folders import read_class_folders
from segnext.data.datasets.imagenet import ImageFolder
from segnext.models import Classifier, ClassifierConfig
from segnext.training.processes import Processes


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ImageFolder:
    return read_class_folders(write_color_photos(tmp_path_factory.mktemp("photos")))


def build_recipe(data: ImageFolder, **options: Any) -> ClassifyRecipe:
    given = {**TINY, "data": Path("photos"), "max_steps": 8, **options}
    config = build_classify_config(given)
    return resolve(config, data, 1, lambda recipe: StepTiming(1.0, 1.0))[0]


def build_learner(data: ImageFolder, **options: Any) -> ClassifierLearner:
    recipe = build_recipe(data, **options)
    model = build_classifier(recipe, 3)
    spec = build_classifier_spec(recipe, data, model)
    return ClassifierLearner(
        recipe, model=model, spec=spec, train=data.splits["train"], processes=Processes.alone()
    )


def test_the_rate_warms_up_and_falls_as_a_cosine() -> None:
    def rate(step: int, warmup: int = 10) -> float:
        return cosine_rate(step, peak=1e-3, floor=1e-6, max_steps=110, warmup_steps=warmup)

    assert rate(0) == 1e-6
    assert rate(5) == pytest.approx((1e-6 + 1e-3) / 2)
    assert rate(10) == 1e-3
    assert rate(60) == pytest.approx((1e-6 + 1e-3) / 2)
    assert rate(35) == pytest.approx(1e-6 + (1e-3 - 1e-6) * (1 + math.sqrt(0.5)) / 2)
    assert rate(110) == pytest.approx(1e-6)
    assert rate(0, warmup=0) == 1e-3
    assert cosine_rate(0, peak=1e-9, floor=1e-6, max_steps=2, warmup_steps=1) == 1e-9


def test_parts_add_up_to_the_loss_of_the_batch() -> None:
    torch.manual_seed(0)
    model = Classifier(ClassifierConfig(num_classes=3, **SMALLEST)).eval()
    objective = ClassifierObjective(model)
    images, targets, keys = torch.randn(4, 3, 32, 32), torch.eye(3)[[0, 1, 2, 0]], torch.arange(4)
    whole = objective(images, targets, keys, 4)
    parts = sum(objective(images[p], targets[p], keys[p], 4) for p in (slice(3), slice(3, 4)))
    assert parts.item() == pytest.approx(whole.item(), abs=1e-6)
    labels = torch.tensor([0, 1, 2, 0])
    expected = torch.nn.functional.cross_entropy(model(images), labels)
    assert whole.item() == pytest.approx(expected.item(), abs=1e-6)


def test_processes_take_whole_pairs(data: ImageFolder) -> None:
    learner = build_learner(data, batch_size=10)
    learner.processes = Processes.alone()
    learner.processes.count = 3
    shares = []
    for learner.processes.rank in range(3):
        shares.append(learner.places)
    assert [place for share in shares for place in share] == list(range(10))
    assert all(share.start % 2 == 0 and len(share) % 2 == 0 for share in shares)
    odd = build_learner(data, batch_size=9, mixup=0.0, cutmix=0.0)
    assert odd.places == range(9)


def test_weight_decay_spares_norms_biases_and_scales(data: ImageFolder) -> None:
    learner = build_learner(data)
    decayed = {
        id(parameter)
        for group in learner.optimizer.param_groups
        if group["weight_decay"] == 0.05
        for parameter in group["params"]
    }
    for name, parameter in learner.model.named_parameters():
        spared = name.endswith(".bias") or "norm" in name or "scale" in name or parameter.ndim == 1
        assert (id(parameter) not in decayed) == spared, name


def test_a_step_is_repeatable_and_half_precision_is_close(data: ImageFolder) -> None:
    losses = []
    for precision in ("fp32", "fp32", "bf16"):
        learner = build_learner(data, precision=precision)
        result = learner.learn(0, next(iter(learner.batches(0))))
        assert result.finite
        losses.append(result.loss)
    assert losses[0] == losses[1]
    assert losses[2] == pytest.approx(losses[0], rel=0.02)
    assert learner.picture_names(0)[0].endswith(".png")


def test_fp16_scales_the_loss_and_learns(data: ImageFolder) -> None:
    start = build_learner(data, precision="fp32").learn(0, _batch(data)).loss
    learner = build_learner(data, precision="fp16")
    before = {name: value.clone() for name, value in learner.model.named_parameters()}
    results = [learner.learn(step, _batch(data)) for step in range(4)]
    assert learner.scaler.is_enabled()
    assert learner.scaler.get_scale() > 1
    assert all(result.finite for result in results)
    assert results[0].loss == pytest.approx(start, rel=0.02)
    assert any(not torch.equal(value, before[n]) for n, value in learner.model.named_parameters())


def _batch(data: ImageFolder) -> Any:
    return next(iter(build_learner(data).batches(0)))


def test_smoothing_and_the_schedule_reach_the_step(data: ImageFolder) -> None:
    losses = []
    for smoothing in (0.0, 0.5):
        options = {"mixup": 0.0, "cutmix": 0.0, "warmup_epochs": 0.0}
        learner = build_learner(data, label_smoothing=smoothing, **options)
        batch = next(iter(learner.batches(0)))
        losses.append(learner.learn(0, batch).loss)
    assert losses[0] != losses[1]
    learner.learn(3, batch)
    expected = cosine_rate(3, peak=2e-3, floor=1e-6, max_steps=8, warmup_steps=0)
    assert learner.learning_rate == pytest.approx(expected)


def test_options_reach_what_they_are_for(data: ImageFolder) -> None:
    recipe = build_recipe(data, drop_path=0.3, dropout=0.1, randaugment=0, mixup=0.3, flip=0.0)
    model = build_classifier(recipe, 3)
    assert (model.config.drop_path_rate, model.config.dropout) == (0.3, 0.1)
    augmentation = build_augmentation(recipe, build_classifier_spec(recipe, data, model))
    assert augmentation.randaugment is None
    assert augmentation.flip == 0.0
    assert build_mix_rule(recipe).mixup == 0.3
