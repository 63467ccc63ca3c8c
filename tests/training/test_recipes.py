import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from known_layouts import WRITERS
from segnext.data.datasets.registry import DATASETS
from segnext.data.loader import build_train_loader
from segnext.errors import UsageError, WeightsError
from segnext.inference import score_images
from segnext.inference.protocols import named_protocol
from segnext.metrics import compute_metrics
from segnext.models import create_model
from segnext.training import train
from segnext.training.arguments import read_config
from segnext.training.config import TrainConfig, build_config
from segnext.training.learner import build_learner
from segnext.training.optimizer import schedule_factor
from segnext.training.planning import make_plan, open_training_data
from segnext.training.processes import Processes
from segnext.training.recipes import apply_recipe, list_recipes, read_recipe

# Supplementary table 1 of the paper, and the boxes of the authors' configurations.
DATA: dict[str, dict[str, Any]] = {
    "ade20k": {"crop": 512, "batch": 16, "steps": 160_000, "base": [2048, 512], "classes": 150},
    "cityscapes": {"crop": 1024, "batch": 8, "steps": 160_000, "base": [2048, 1024], "classes": 19},
    "coco_stuff164k": {
        "crop": 512,
        "batch": 16,
        "steps": 80_000,
        "base": [2048, 512],
        "classes": 171,
    },
    "pascal_voc": {"crop": 512, "batch": 16, "steps": 80_000, "base": [512, 512], "classes": 21},
    "pascal_context": {
        "crop": 480,
        "batch": 16,
        "steps": 80_000,
        "base": [480, 480],
        "classes": 60,
    },
    "isaid": {"crop": 896, "batch": 16, "steps": 160_000, "base": [896, 896], "classes": 16},
}
# Table 2 of the paper; ranks are those of the authors' code, parameters were counted there.
SIZES: dict[str, dict[str, Any]] = {
    "segnext_tiny": {"width": 256, "rank": 16, "drop_path": 0.1, "parameters": 4_263_414},
    "segnext_small": {"width": 256, "rank": 16, "drop_path": 0.1, "parameters": 13_932_886},
    "segnext_base": {"width": 512, "rank": 64, "drop_path": 0.1, "parameters": 27_636_310},
    "segnext_large": {"width": 1024, "rank": 64, "drop_path": 0.3, "parameters": 48_926_550},
}
SCORES = {
    "ade20k": ("41.1 42.2", "44.3 45.8", "48.5 49.9", "51.0 52.1"),
    "cityscapes": ("79.8 81.4", "81.3 82.7", "82.6 83.8", "83.2 83.9"),
    "coco_stuff164k": ("38.7 39.1", "42.2 42.8", "45.8 46.3", "46.5 47.2"),
    "pascal_context": ("51.2 53.3", "54.2 56.1", "57.0 59.0", "58.7 60.3"),
    "isaid": ("68.3", "68.8", "69.9", "70.3"),
    "pascal_voc": ("82.7", "85.3", "87.5", "90.6"),
}
NAMES = [
    f"{data}/{size}{stage}"
    for data in sorted(DATA)
    for size in SIZES
    for stage in (["", "_trainval"] if data == "pascal_voc" else [""])
]


def test_there_is_one_for_each_data_set_and_size_of_the_paper() -> None:
    assert list_recipes() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_says_what_the_paper_says(name: str) -> None:
    dataset, model = name.removesuffix("_trainval").split("/")
    table, size = DATA[dataset], SIZES[model]
    config = build_config({"data": Path(), **read_recipe(name).options})
    assert config.format == dataset
    assert config.crop_size == (table["crop"], table["crop"])
    assert config.base_size == tuple(table["base"])
    assert (config.batch_size, config.max_steps) == (table["batch"], table["steps"])
    assert config.model == model
    assert config.model_options == {"drop_path_rate": size["drop_path"]}
    assert (config.learning_rate, config.decoder_lr_factor) == (6e-5, 10.0)
    assert (config.weight_decay, config.warmup_steps, config.poly_power) == (0.01, 1500, 1.0)
    assert (config.groups, config.ema_decay, config.clip_norm) == ("authors", 0.0, 0.0)
    assert config.loss == {"cross_entropy": {"mean": "all"}}
    assert (config.scale_range, config.flip, config.flip_vertical) == ((0.5, 2.0), 0.5, 0.0)
    assert (config.photometric, config.hue, config.rotate90) == (True, True, False)
    assert (config.rare_crop, config.rare_classes, config.class_weights) == (0.0, (), "none")
    assert (config.layer_decay, config.freeze, config.merge) == (1.0, (), {})
    assert (config.protocol, config.window, config.validate_every) == ("authors", None, 8000)
    trained_on = {"pascal_voc": "trainaug"}.get(dataset, "train")
    second = name.endswith("_trainval")
    assert config.train_split == ("trainval" if second else trained_on)
    assert config.val_split == "val"
    if not second:
        assert config.init == "pretrained"


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_builds_the_model_of_the_paper(name: str) -> None:
    dataset, model = name.removesuffix("_trainval").split("/")
    classes, size = DATASETS[dataset].classes.num_classes, SIZES[model]
    assert classes == DATA[dataset]["classes"]
    options = read_recipe(name).options
    with torch.device("meta"):
        built = create_model(options["model"], num_classes=classes, **options["model_options"])
    assert (built.config.decoder_width, built.config.rank) == (size["width"], size["rank"])
    # The classifier has a weight for each channel of the decoder and a bias, for each class.
    fewer = (150 - classes) * (size["width"] + 1)
    assert sum(p.numel() for p in built.parameters()) == size["parameters"] - fewer


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_tells_what_to_expect_and_what_to_type(name: str) -> None:
    recipe = read_recipe(name)
    dataset, model = name.removesuffix("_trainval").split("/")
    second = name.endswith("_trainval")
    scores = SCORES[dataset][list(SIZES).index(model)].split()
    if dataset != "pascal_voc" or second:
        assert re.findall(r"\b\d\d\.\d\b", recipe.notes["score"]) == scores
    if dataset == "pascal_voc" and (not second or model == "segnext_large"):
        assert recipe.notes["score"].startswith("none")
    assert recipe.notes["hardware"] == "8 x RTX 3090; hours not published"
    assert recipe.notes["classes"].startswith(str(DATA[dataset]["classes"]))
    train = re.fullmatch(
        r"segnext train (\S+) --recipe (\S+) --out (runs/\S+)", recipe.notes["train"]
    )
    assert train is not None
    assert train[2] == name
    command, weights = ("predict", "last") if second else ("evaluate", "best")
    folder = "TEST_PICTURES" if second else train[1]
    assert recipe.notes["test"] == (
        f"segnext {command} {train[3]}/{weights}.safetensors {folder} --protocol authors"
    )
    if second:
        first = read_recipe(name.removesuffix("_trainval")).notes["train"].rsplit(" ", 1)[1]
        assert recipe.options["init"] == f"{first}/best.safetensors"


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_a_flat_file_for_plan(name: str) -> None:
    import segnext

    path = Path(segnext.__file__).parent / "configs" / f"{name}.yaml"
    assert read_config(path) == read_recipe(name).options
    assert "data" not in read_recipe(name).options
    assert set(read_recipe(name).options) <= set(TrainConfig.model_fields)
    assert not re.search(r"[&*]\w|<<", path.read_text()), "no inheritance"


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every data set of the recipes, in its true layout."""
    return {name: write(tmp_path_factory.mktemp(name)) for name, write in WRITERS.items()}


@pytest.mark.parametrize("name", NAMES)
def test_the_batch_is_that_of_all_processes(name: str) -> None:
    batch = read_recipe(name).options["batch_size"]
    one = Processes.alone()
    assert one.share(batch) == range(batch)
    shares = []
    for rank in range(2):
        processes = Processes.alone()
        processes.rank, processes.count = rank, 2
        shares.append(processes.share(batch))
    assert [*shares[0], *shares[1]] == [*range(batch)]
    assert [len(share) for share in shares] == [batch // 2] * 2


def test_two_processes_see_the_batch_of_one(roots: dict[str, Path]) -> None:
    learner, _ = take_two_steps("ade20k/segnext_tiny", roots)

    def load(share: range) -> torch.Tensor:
        return next(iter(build_train_loader(learner.stream, batch_size=2, share=share)))[0]

    halves = [load(range(1)), load(range(1, 2))]
    torch.testing.assert_close(torch.cat(halves), load(range(2)), rtol=0, atol=0)


@pytest.mark.parametrize("step", [0, 1, 749, 1499, 1500, 80_000, 159_999])
def test_warm_up_and_decay_are_those_of_the_authors_files(step: int) -> None:
    options = read_recipe("ade20k/segnext_tiny").options
    names = "max_steps", "warmup_steps", "poly_power"
    rate = options["learning_rate"] * schedule_factor(
        step, **{name: options[name] for name in names}
    )
    # policy poly with power 1, min_lr 0; warmup linear over 1500 with ratio 1e-6.
    expected = 6e-5 * (1 - step / 160_000)
    if step < 1500:
        expected *= 1 - (1 - step / 1500) * (1 - 1e-6)
    assert rate == pytest.approx(expected, rel=1e-12)


def test_what_is_given_goes_before_the_recipe() -> None:
    options = apply_recipe("ade20k/segnext_tiny", {"batch_size": 4, "data": Path("x")})
    assert options == {
        **read_recipe("ade20k/segnext_tiny").options,
        "batch_size": 4,
        "data": Path("x"),
    }


def test_a_budget_takes_the_place_of_steps() -> None:
    length = {"max_steps", "warmup_steps", "validate_every"}
    timed = apply_recipe("ade20k/segnext_tiny", {"budget": "2h"})
    assert not length & set(timed)
    assert timed["learning_rate"] == 6e-5
    both = apply_recipe("ade20k/segnext_tiny", {"budget": "2h", "warmup_steps": 10})
    assert both["warmup_steps"] == 10
    assert apply_recipe("ade20k/segnext_tiny", {"max_steps": 10})["warmup_steps"] == 1500


def test_a_wrong_name_is_answered_with_near_ones() -> None:
    with pytest.raises(
        UsageError, match=r"unknown recipe 'ade/segnext_tiny': did you mean ade20k/"
    ):
        read_recipe("ade/segnext_tiny")
    with pytest.raises(UsageError, match=r"unknown recipe '../pyproject'"):
        apply_recipe("../pyproject", {})


def test_a_second_stage_never_starts_without_the_first(roots: dict[str, Path]) -> None:
    given = {"data": roots["pascal_voc"], "device": "cpu", "num_workers": 0, "accumulate": 1}
    options = apply_recipe("pascal_voc/segnext_tiny_trainval", given)
    with pytest.raises(WeightsError, match=r"runs/pascal_voc-tiny/best.safetensors: no such file"):
        train(dry_run=True, quiet=True, **options)


def take_two_steps(name: str, roots: dict[str, Path]) -> Any:
    torch.manual_seed(0)
    root = roots[name.partition("/")[0]]
    small = {"init": "none", "crop_size": (64, 64), "batch_size": 2, "max_steps": 2}
    small |= {"num_workers": 0, "device": "cpu", "data": root}
    config = build_config(apply_recipe(name, small))
    data = open_training_data(config)
    assert data.format == config.format
    plan = make_plan(config, data, Processes.alone())
    # The machine is all that is left to choose.
    assert {choice.option for choice in plan.choices} <= {"accumulate"}
    learner = build_learner(plan.recipe, data, Processes.alone())
    before = [parameter.detach().clone() for parameter in learner.model.parameters()]
    for step, batch in enumerate(learner.batches(0)):
        result = learner.learn(step, batch)
        assert result.finite
    assert step == 1
    after = list(learner.model.parameters())
    moved = [not torch.equal(old, new) for old, new in zip(before, after, strict=True)]
    assert sum(moved) > 0.9 * len(moved)
    return learner, data


@pytest.mark.parametrize("name", [name for name in NAMES if "tiny" in name])
def test_a_tiny_recipe_trains_and_validates_on_its_data_set(
    name: str, roots: dict[str, Path]
) -> None:
    learner, data = take_two_steps(name, roots)
    assert learner.spec.protocol == named_protocol("authors", name.partition("/")[0])
    # The picture is 12 times smaller than a real one, and so is what it is resized to.
    small = replace(learner.spec.protocol, box=(96, 96), window=None, stride=None)
    spec = replace(learner.spec, protocol=small)
    matrix = score_images(learner.average, spec, data.dataset("val"), indices=range(1))
    assert math.isfinite(compute_metrics(matrix.counts).miou)


@pytest.mark.parametrize("name", [name for name in NAMES if "small" in name or "base" in name])
def test_a_recipe_trains_on_its_data_set(name: str, roots: dict[str, Path]) -> None:
    take_two_steps(name, roots)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if "large" in name])
def test_a_large_recipe_trains_on_its_data_set(name: str, roots: dict[str, Path]) -> None:
    take_two_steps(name, roots)
