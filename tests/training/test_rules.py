from pathlib import Path
from typing import Any

import pytest

from segnext.data import FolderDataset, open_folder
from segnext.training.config import Recipe, build_config
from segnext.training.plan import Choice, Facts, Timing, collect_facts, plan_run

FACTS = Facts(train_images=367, val_images=101, height=360, width=480, channels=3, bits=8)
QUICK = Timing(step_s=0.1, picture_s=0.01)


@pytest.fixture
def train_split(scenes: Path) -> FolderDataset:
    return open_folder(scenes).dataset("train")


def plan(
    split: FolderDataset, facts: Facts = FACTS, timing: Timing = QUICK, **options: Any
) -> tuple[Recipe, dict[str, Choice]]:
    config = build_config({"data": "x", "device": "cpu", **options})
    recipe, choices = plan_run(config, facts, split, lambda _: timing)
    return recipe, {choice.option: choice for choice in choices}


def test_facts_are_read_from_headers(train_split: FolderDataset) -> None:
    facts = collect_facts(train_split, train_split, channels=3, bits=8)
    assert facts == Facts(6, 6, 64, 64, 3, 8)


def test_everything_is_chosen_with_a_reason(train_split: FolderDataset) -> None:
    recipe, choices = plan(train_split)
    assert recipe.crop_size == (224, 320)
    assert recipe.batch_size == 4
    assert recipe.learning_rate == 1.4e-3
    assert recipe.decoder_lr_factor == 1
    assert recipe.max_steps == 300 * 367 // 4
    assert recipe.warmup_steps == 1376
    assert recipe.mean == (0.485, 0.456, 0.406)
    assert all(choice.because for choice in choices.values())
    assert "480x360" in choices["crop_size"].because
    assert "device" not in choices  # it was given


def test_what_is_given_is_obeyed(train_split: FolderDataset) -> None:
    given = {
        "crop_size": (64, 96),
        "batch_size": 3,
        "learning_rate": 0.5,
        "max_steps": 10,
        "validate_every": 5,
        "warmup_steps": 2,
    }
    recipe, choices = plan(train_split, **given)
    assert {name: getattr(recipe, name) for name in given} == given
    assert not set(given) & set(choices)


def test_a_budget_fills_the_time(train_split: FolderDataset) -> None:
    recipe, choices = plan(train_split, timing=Timing(2.0, 0.1), budget="1h")
    seconds = recipe.max_steps * 2.0 + 101 * 0.1 * (recipe.max_steps // recipe.validate_every)
    assert 0.85 * 3600 <= seconds <= 3600
    assert choices["max_steps"].because == "fills 60 minutes at 2.00 s a step, measured"


def test_the_default_budget_bounds_slow_machines(train_split: FolderDataset) -> None:
    recipe, choices = plan(train_split, timing=Timing(10.0, 0.1))
    assert recipe.max_steps < 360
    assert "the default budget on cpu" in choices["max_steps"].because


def test_validation_stays_a_small_share(train_split: FolderDataset) -> None:
    recipe, _ = plan(train_split, timing=Timing(0.1, 1.0), budget="10m")
    validations = -(-recipe.max_steps // recipe.validate_every)
    assert validations * 101 * 1.0 < 0.35 * 600


def test_pretrained_starts_have_the_papers_rates(train_split: FolderDataset) -> None:
    recipe, choices = plan(train_split, init="weights.safetensors")
    assert recipe.learning_rate == pytest.approx(3e-5)
    assert recipe.decoder_lr_factor == 10
    assert "paper" in choices["learning_rate"].because


def test_short_runs_have_milder_scales(train_split: FolderDataset) -> None:
    recipe, choices = plan(train_split, max_steps=367 * 10)
    assert recipe.scale_range == (0.75, 1.5)
    assert choices["scale_range"].because.startswith("40 epochs are too few")
    assert plan(train_split, max_steps=367 * 20)[0].scale_range == (0.5, 2.0)
    assert plan(train_split, max_steps=1, scale_range=(0.1, 9))[0].scale_range == (0.1, 9)


@pytest.mark.parametrize(
    ("height", "width", "crop"),
    [(128, 160, (128, 160)), (50, 70, (32, 64)), (20, 20, (64, 64)), (2000, 3000, (224, 320))],
)
def test_crops_fit_pictures(
    train_split: FolderDataset, height: int, width: int, crop: tuple[int, int]
) -> None:
    recipe, _ = plan(train_split, Facts(300, 10, height, width, 3, 8))
    assert recipe.crop_size == crop


def test_large_pictures_are_validated_in_windows(train_split: FolderDataset) -> None:
    assert plan(train_split)[0].window is None
    recipe, choices = plan(train_split, Facts(300, 10, 3000, 4000, 3, 8))
    assert recipe.window == 1024
    assert "4000x3000" in choices["window"].because


def test_other_pixels_are_measured(train_split: FolderDataset) -> None:
    recipe, choices = plan(train_split, Facts(300, 10, 64, 64, 3, 16))
    assert recipe.mean != (0.485, 0.456, 0.406)
    assert "16 bits" in choices["mean"].because
