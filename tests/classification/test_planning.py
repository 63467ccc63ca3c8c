import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from class_photos import write_color_photos
from segnext.classification.config import ClassifyRecipe, build_classify_config
from segnext.classification.planning import StepTiming, check_batch, resolve
from segnext.data.datasets.class_folders import read_class_folders
from segnext.data.datasets.imagenet import ImageFolder, ImageSplit
from segnext.errors import UsageError


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> ImageFolder:
    return read_class_folders(write_color_photos(tmp_path_factory.mktemp("small"), size=64))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> ImageFolder:
    """Photos of 160 px, a thousand times each: as many as a tenth of ImageNet."""
    root = write_color_photos(tmp_path_factory.mktemp("large"), train=2, val=1, size=160)
    data = read_class_folders(root)
    train = data.splits["train"]
    many = ImageSplit(train.root, train.files * 2000, np.tile(train.labels, 2000))
    return ImageFolder(data.wnids, data.names, {**data.splits, "train": many})


def choose(data: ImageFolder, timing: StepTiming | None = None, **options: Any) -> ClassifyRecipe:
    def measure(recipe: ClassifyRecipe) -> StepTiming:
        assert timing is not None
        return timing

    config = build_classify_config({"data": Path("x"), "device": "cpu", **options})
    return resolve(config, data, 1, measure)[0]


def test_the_recipe_for_photos(large: ImageFolder) -> None:
    recipe = choose(large, batch_size=1024)
    assert (recipe.crop_size, recipe.crop_share, recipe.stem_stride) == (224, 0.875, 4)
    assert recipe.max_steps == round(300 * 12_000 / 1024)
    assert recipe.warmup_steps == round(5 * 12_000 / 1024)
    assert recipe.learning_rate == 1e-3
    assert recipe.validate_every == 12
    assert (recipe.mixup, recipe.cutmix, recipe.label_smoothing, recipe.erasing) == (
        *(0.8, 1.0),
        *(0.1, 0.25),
    )
    assert (recipe.randaugment, recipe.magnitude, recipe.magnitude_std) == (2, 9.0, 0.5)


@pytest.mark.parametrize(
    ("side", "stride"), [(32, 1), (48, 1), (63, 1), (64, 2), (96, 2), (128, 4), (224, 4)]
)
def test_stage_4_keeps_four_positions_a_side(small: ImageFolder, side: int, stride: int) -> None:
    assert choose(small, crop_size=side).stem_stride == stride


def test_small_pictures_are_taken_whole(small: ImageFolder) -> None:
    recipe = choose(small)
    assert (recipe.crop_size, recipe.eval_size, recipe.crop_share) == (64, 64, 0.0)
    assert recipe.batch_size == 24  # there are no more
    assert choose(small, crop_size=48, eval_size=64).eval_size == 64


@pytest.mark.parametrize(
    ("options", "rate"),
    [
        ({"batch_size": 512}, 5e-4),
        ({"batch_size": 2048}, 2e-3),
        ({"batch_size": 64}, 1e-3 * math.sqrt(64 / 1024)),
        ({"batch_size": 64, "lr_scaling": "linear"}, 6.25e-5),
        ({"batch_size": 64, "lr_scaling": "none"}, 1e-3),
        ({"batch_size": 64, "learning_rate": 7e-4}, 7e-4),
    ],
)
def test_the_rate_follows_the_batch(
    large: ImageFolder, options: dict[str, Any], rate: float
) -> None:
    assert choose(large, **options).learning_rate == pytest.approx(rate, rel=0.01)


def test_a_budget_is_filled(large: ImageFolder) -> None:
    timing = StepTiming(step_s=0.5, validation_s=60.0)
    recipe = choose(large, timing, batch_size=100, budget="1h")
    # 120 steps are an epoch; a validation every 1080 steps, 540 s, takes a tenth of the time.
    assert recipe.validate_every == 1080
    assert recipe.max_steps == pytest.approx(3600 / (0.5 + 60 / 1080), abs=1)
    assert recipe.warmup_steps == 600
    assert recipe.budget is None
    again = build_classify_config(recipe.model_dump())
    assert resolve(again, large, 1, lambda _: timing)[0] == recipe


def test_epochs_and_warm_up(large: ImageFolder) -> None:
    recipe = choose(large, batch_size=100, epochs=2, warmup_epochs=0.5)
    assert (recipe.max_steps, recipe.warmup_steps) == (240, 60)
    assert choose(large, batch_size=100, epochs=2).warmup_steps == 24


def test_batches_that_cannot_be_shared(large: ImageFolder) -> None:
    recipe = choose(large, batch_size=6)
    check_batch(recipe, 3)
    with pytest.raises(UsageError, match="too small for 4 processes of 1 parts each; at least 8"):
        check_batch(recipe, 4)
    with pytest.raises(UsageError, match="batch_size 6 does not hold several photos 6 times each"):
        choose(large, batch_size=6, repeats=6)
