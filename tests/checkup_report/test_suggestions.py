from dataclasses import replace
from pathlib import Path

import pytest
import yaml

import segnext
from checked_folders import check, stripes, write_data
from runs import TINY
from segnext.checkup_report import suggest
from segnext.checkup_report.suggestions import SHOWN
from segnext.training.config import TrainConfig
from segnext.training.rules import PRETRAINED_PASSES, SCRATCH_PASSES


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A class that is rare, in pictures larger than a crop."""
    from checked_folders import photo
    from pictures import save_picture

    root = tmp_path_factory.mktemp("crops")
    for split, count in (("train", 4), ("val", 2)):
        for index in range(count):
            mask = stripes([0])
            mask = mask.repeat(16, axis=0).repeat(16, axis=1)
            mask[300:320, 300 : 320 + index] = 1
            save_picture(
                root / f"{split}/images/{split}{index}.png", photo((split, index), 640, 768)
            )
            save_picture(root / f"{split}/masks/{split}{index}.png", mask)
    (root / "classes.txt").write_text("ground\nmole hill\n")
    return root


def test_they_are_those_of_the_plan(crops: Path) -> None:
    suggestion = suggest(check(crops))
    assert suggestion is not None
    options = {name: value for name, value in TINY.items() if name.startswith("model")}
    plan = segnext.plan(crops, **options, max_steps=2, init="none")
    made = {choice.option: choice for choice in plan.choices}
    told = {choice.option: choice for choice in suggestion.choices}
    assert set(told) == {
        "crop_size",
        "batch_size",
        "rare_crop",
        "rare_classes",
        "class_weights",
        "max_steps",
    }
    for name in set(told) - {"max_steps"}:
        assert told[name] == made[name], name


def test_steps_are_what_the_pictures_ask_for(crops: Path) -> None:
    suggestion = suggest(check(crops))
    assert suggestion is not None
    chosen = suggestion.to_dict()
    height, width = chosen["crop_size"]
    passes = 4 * 640 * 768 // (chosen["batch_size"] * height * width)
    assert chosen["max_steps"] == pytest.approx(max(200, PRETRAINED_PASSES * passes), rel=0.2)
    because = next(c.because for c in suggestion.choices if c.option == "max_steps")
    assert f"({SCRATCH_PASSES} times) without a pretrained encoder" in because


def test_the_text_is_a_plan_that_training_takes(crops: Path) -> None:
    suggestion = suggest(check(crops, group=r"(\w)"), group=r"(\w)", ignore_index=(7,))
    assert suggestion is not None
    options = yaml.safe_load(suggestion.text)
    config = TrainConfig(data=crops, **options)
    assert config.group == r"(\w)"
    assert config.ignore_index == (7,)
    assert config.crop_size == tuple(suggestion.to_dict()["crop_size"])
    assert config.rare_classes == ("mole hill",)
    assert set(options) <= {*SHOWN, "group", "ignore_index"}
    assert "# " in suggestion.text


def test_every_mask_counts_not_only_a_sample(crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every = suggest(check(crops))
    monkeypatch.setattr("segnext.checkup_report.suggestions.MEASURED", 1)
    assert suggest(check(crops)) == every


def test_a_proposed_label_map_is_planned_with(tmp_path: Path) -> None:
    write_data(tmp_path, stripes([1, 2, 2]), "a, b", train=12, val=10)
    checkup = check(tmp_path)
    assert not checkup.passed
    suggestion = suggest(checkup)
    assert suggestion is not None
    assert suggestion.to_dict()["class_weights"] == "none"


def test_too_little_data_get_none(crops: Path, tmp_path: Path) -> None:
    checkup = check(crops)
    assert checkup.folder is not None
    assert suggest(replace(checkup, folder=None)) is None
    only = {"train": checkup.folder.splits["train"]}
    assert suggest(replace(checkup, folder=replace(checkup.folder, splits=only))) is None
    assert suggest(check(tmp_path)) is None
