from dataclasses import replace
from typing import Any

import pytest

from segnext.data.fingerprint import ClassFingerprint, Fingerprint
from segnext.data.statistics import PixelStatistics
from segnext.errors import UsageError
from segnext.training.config import Recipe, build_config
from segnext.training.planning import check_recipe
from segnext.training.rules import RULES, resolve_class_weights
from segnext.training.situation import Choice, Memory, Situation, Timing


def facts(name: str, share: float, width: float | None = 40.0) -> ClassFingerprint:
    pixels = int(share * 1_000_000)
    return ClassFingerprint(name, pixels, share, 0.5, 500_000, 10, 400.0, 50.0, width)


BALANCED = (facts("road", 0.4), facts("sky", 0.35), facts("tree", 0.25))
IMBALANCED = (facts("road", 0.7), facts("sky", 0.295), facts("pole", 0.005, 3.0))
CAMVID = Fingerprint(
    splits={"train": 367, "val": 101},
    sampled=367,
    height=(360, 360, 360),
    width=(480, 480, 480),
    channels=3,
    bits=8,
    counted_pixels=1_000_000,
    ignored_share=0.0,
    nodata=None,
    nodata_share=0.0,
    metres_per_pixel=None,
    values=PixelStatistics((0.01,) * 3, (0.4,) * 3, (0.9,) * 3, (0.4,) * 3, (0.2,) * 3),
    classes=BALANCED,
    groups={},
    shared_groups=(),
    near_duplicates=(),
)


class FakeMeter:
    def __init__(self, timing: Timing | None = None, memory: Memory | None = None) -> None:
        self.timing = timing or Timing(0.05, 0.01)
        self.bytes = memory
        self.timed: list[Recipe] = []

    def memory(self, recipe: Recipe) -> Memory:
        assert self.bytes is not None, "memory was not to be measured"
        return self.bytes

    def speed(self, recipe: Recipe) -> Timing:
        self.timed.append(recipe)
        return self.timing


def decide(
    data: Fingerprint = CAMVID, meter: FakeMeter | None = None, processes: int = 1, **options: Any
) -> tuple[Recipe, dict[str, Choice]]:
    config = build_config({"data": "x", "device": "cpu", "init": "none", **options})
    situation = Situation(config, data, meter or FakeMeter(), processes)
    made = {}
    for rule in RULES:
        for choice in rule(situation):
            if not situation.gave(choice.option):
                situation.chosen[choice.option] = choice.value
                made[choice.option] = choice
    recipe = situation.recipe()
    check_recipe(recipe, data, processes)
    return recipe, made


def test_everything_is_chosen_with_a_reason() -> None:
    recipe, choices = decide()
    assert recipe.crop_size == (224, 320)
    assert recipe.batch_size == 4
    assert recipe.learning_rate == 1.4e-3
    assert recipe.decoder_lr_factor == 1
    assert recipe.max_steps == 200 * 367 * 360 * 480 // (4 * 224 * 320)
    assert recipe.warmup_steps == 1500
    assert recipe.mean == (0.485, 0.456, 0.406)
    assert recipe.class_weights == "none"
    assert all(choice.because for choice in choices.values())
    assert "480x360" in choices["crop_size"].because
    assert "device" not in choices  # it was given


def test_what_is_given_is_obeyed() -> None:
    given: dict[str, Any] = {
        "crop_size": (64, 96),
        "batch_size": 3,
        "learning_rate": 0.5,
        "max_steps": 10,
        "validate_every": 5,
        "warmup_steps": 2,
        "flip": 0.1,
        "loss": "dice",
        "window": None,
    }
    meter = FakeMeter()
    recipe, choices = decide(replace(CAMVID, height=(3000,) * 3, width=(4000,) * 3), meter, **given)
    assert {name: getattr(recipe, name) for name in given} == given
    assert not set(given) & set(choices)
    assert not meter.timed  # steps that are given need no measuring


def test_a_saved_plan_gives_the_same_recipe() -> None:
    data = replace(CAMVID, classes=IMBALANCED)
    recipe, _ = decide(data)
    told = {name: value for name, value in recipe.model_dump().items() if name != "data"}
    again, choices = decide(data, **told)
    assert again == recipe
    assert not choices


def test_a_budget_fills_the_time() -> None:
    recipe, choices = decide(meter=FakeMeter(Timing(2.0, 0.1)), budget="1h")
    seconds = recipe.max_steps * 2.0 + 101 * 0.1 * (recipe.max_steps // recipe.validate_every)
    assert 0.85 * 3600 <= seconds <= 3600
    assert choices["max_steps"].because == "fills 60 minutes at 2.00 s a step, measured"


def test_the_default_budget_bounds_slow_machines() -> None:
    recipe, choices = decide(meter=FakeMeter(Timing(10.0, 0.1)))
    assert recipe.max_steps < 360
    assert "the default budget on cpu" in choices["max_steps"].because


def test_validation_stays_a_small_share() -> None:
    recipe, _ = decide(meter=FakeMeter(Timing(0.1, 1.0)), budget="10m")
    validations = -(-recipe.max_steps // recipe.validate_every)
    assert validations * 101 * 1.0 < 0.35 * 600


def test_pretrained_starts_have_the_papers_rates() -> None:
    recipe, choices = decide(init="weights.safetensors")
    assert recipe.learning_rate == pytest.approx(3e-5)
    assert recipe.decoder_lr_factor == 10
    assert "paper" in choices["learning_rate"].because


def test_short_runs_have_milder_scales() -> None:
    recipe, choices = decide(max_steps=367 * 10)
    assert recipe.scale_range == (0.75, 1.5)
    assert choices["scale_range"].because.startswith("40 epochs are too few")
    assert decide(max_steps=367 * 20)[0].scale_range == (0.5, 2.0)
    assert decide(max_steps=1, scale_range=(0.1, 9))[0].scale_range == (0.1, 9)


@pytest.mark.parametrize(
    ("height", "width", "crop"),
    [(128, 160, (128, 160)), (50, 70, (32, 64)), (20, 20, (64, 64)), (2000, 3000, (224, 320))],
)
def test_crops_fit_pictures(height: int, width: int, crop: tuple[int, int]) -> None:
    data = replace(CAMVID, height=(height,) * 3, width=(width,) * 3)
    assert decide(data)[0].crop_size == crop


def test_large_pictures_are_validated_in_windows() -> None:
    assert decide()[0].window is None
    recipe, choices = decide(replace(CAMVID, height=(3000,) * 3, width=(4000,) * 3))
    assert (recipe.window, recipe.stride) == (1024, 682)
    assert "4000x3000" in choices["window"].because


def test_a_named_protocol_leaves_no_window_to_choose() -> None:
    large = replace(CAMVID, height=(3000,) * 3, width=(4000,) * 3)
    recipe, choices = decide(large, protocol="authors")
    assert (recipe.window, recipe.stride, recipe.protocol) == (None, None, "authors")
    assert "window" not in choices
    assert decide(large, protocol=None)[0].window == 1024


def test_pictures_of_very_different_sizes_share_a_box_unless_things_are_thin() -> None:
    spread = replace(CAMVID, height=(200, 800, 3000), width=(300, 1000, 4000))
    recipe, choices = decide(spread)
    assert recipe.base_size == (1000, 800)
    assert "14.1 times" in choices["base_size"].because
    thin = replace(spread, classes=(*BALANCED, facts("wire", 0.01, 3.0)))
    assert decide(thin)[0].base_size is None
    assert decide()[0].base_size is None


def test_other_pixels_are_normalised_by_their_clipped_statistics() -> None:
    recipe, choices = decide(replace(CAMVID, bits=16, nodata=0.0))
    assert recipe.mean == (0.4, 0.4, 0.4)
    assert recipe.low == (0.01, 0.01, 0.01)
    assert recipe.high == (0.9, 0.9, 0.9)
    assert recipe.nodata == 0
    assert "16 bits" in choices["mean"].because
    assert recipe.hue is False


def test_imbalance_weighs_classes_by_name() -> None:
    recipe, choices = decide(replace(CAMVID, classes=IMBALANCED))
    assert isinstance(recipe.class_weights, dict)
    assert list(recipe.class_weights) == ["road", "sky", "pole"]
    assert recipe.class_weights["pole"] > 4 * recipe.class_weights["road"]
    assert "140 times the pixels of the rarest" in choices["class_weights"].because
    assert decide(replace(CAMVID, classes=IMBALANCED), class_weights="none")[0].class_weights == (
        "none"
    )


def test_a_method_of_weighting_becomes_numbers() -> None:
    recipe, _ = decide(class_weights="inverse")
    assert isinstance(recipe.class_weights, dict)
    assert recipe.class_weights["tree"] > recipe.class_weights["road"]


def test_rare_classes_are_looked_for_where_crops_are_small() -> None:
    imbalanced = replace(CAMVID, classes=IMBALANCED)
    recipe, choices = decide(imbalanced)
    assert (recipe.rare_crop, recipe.rare_classes) == (0.5, ("pole",))
    assert "a crop shows 41% of a picture" in choices["rare_crop"].because
    whole = replace(imbalanced, height=(160,) * 3, width=(192,) * 3)
    assert decide(whole)[0].rare_crop == 0
    assert decide()[0].rare_crop == 0


def test_dominated_pictures_get_rare_crops_or_weights_but_not_both() -> None:
    weeds = (facts("soil", 0.93), facts("weed", 0.055), facts("crop", 0.015))
    large = replace(CAMVID, height=(966,) * 3, width=(1296,) * 3, classes=weeds)
    recipe, choices = decide(large)
    assert (recipe.rare_crop, recipe.class_weights) == (0.25, "none")
    assert "crops around rare classes make up for it" in choices["class_weights"].because
    small = replace(large, height=(128,) * 3, width=(160,) * 3)
    recipe, _ = decide(small)
    assert recipe.rare_crop == 0
    assert isinstance(recipe.class_weights, dict)


@pytest.mark.parametrize(
    ("domain", "flip", "flip_vertical", "rotate90", "hue"),
    [
        (None, 0.5, 0, False, True),
        ("street", 0.5, 0, False, True),
        ("overhead", 0.5, 0.5, True, True),
        ("microscopy", 0.5, 0.5, True, True),
        ("document", 0, 0, False, False),
    ],
)
def test_domains_decide_about_augmentation(
    domain: str | None, flip: float, flip_vertical: float, rotate90: bool, hue: bool
) -> None:
    recipe, _ = decide(**({"domain": domain} if domain else {}))
    found = (recipe.flip, recipe.flip_vertical, recipe.rotate90, recipe.hue)
    assert found == (flip, flip_vertical, rotate90, hue)


def test_left_and_right_are_not_mirrored() -> None:
    sided = (facts("left arm", 0.5), facts("right arm", 0.5))
    recipe, choices = decide(replace(CAMVID, classes=sided), domain="microscopy")
    assert (recipe.flip, recipe.flip_vertical, recipe.rotate90) == (0, 0, True)
    assert choices["flip"].because == "mirroring would swap left arm and right arm"


def test_batches_are_cut_to_fit_the_memory() -> None:
    memory = Memory(fixed=10**8, picture=10**9, free=5 * 10**9)
    recipe, choices = decide(meter=FakeMeter(memory=memory), batch_size=8)
    assert recipe.accumulate == 3  # 80 % of 5 GB hold 3 pictures beside the weights
    assert choices["accumulate"].because == "1 GB a picture, measured; 4 GB allowed"
    assert decide(meter=FakeMeter(memory=memory), batch_size=8, memory="2GB")[0].accumulate == 8
    shared = decide(meter=FakeMeter(memory=memory), batch_size=8, processes=4)[0]
    assert shared.accumulate == 1
    message = r"one crop of 320x224 needs 1.1 GB, memory allows 0.5 GB; choose a smaller crop_size"
    with pytest.raises(UsageError, match=message):
        decide(meter=FakeMeter(memory=memory), memory="500MB")


def test_given_weights_must_name_the_classes() -> None:
    with pytest.raises(UsageError, match=r"unknown class in class_weights 'raod': did you mean"):
        resolve_class_weights({"raod": 1.0}, CAMVID)
    with pytest.raises(UsageError, match=r"class_weights has no entry for sky, tree; give one"):
        resolve_class_weights({"road": 1.0}, CAMVID)
