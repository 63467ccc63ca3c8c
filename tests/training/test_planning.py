import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import segnext
from checked_folders import stripes, write_data, write_pair
from runs import TINY
from segnext.data.fingerprint import Fingerprint
from segnext.errors import DataError, UsageError
from segnext.models import SegNeXt
from segnext.training import Plan, train
from segnext.training.config import Recipe, TrainConfig
from segnext.training.planning import format_recipe, open_training_data
from segnext.training.situation import Choice


@pytest.fixture(scope="module")
def made(scenes: Path) -> Plan:
    return segnext.plan(scenes, **{**TINY, "init": "pretrained"}, max_steps=2)


def test_a_plan_has_every_option_and_reasons(made: Plan, scenes: Path) -> None:
    assert made.recipe.data == scenes
    assert made.recipe.max_steps == 2
    assert made.fingerprint.splits["train"] == 6
    assert {choice.option for choice in made.choices} >= {"flip", "learning_rate", "class_weights"}
    assert "max_steps" not in {choice.option for choice in made.choices}


def test_a_missing_pretrained_encoder_is_said_loudly(made: Plan) -> None:
    assert made.recipe.init == "none"
    (note,) = made.notes
    start = "STARTING FROM SCRATCH, the pretrained encoder of segnext_tiny is not here: https://"
    assert note.startswith(start)
    assert "SEGNEXT_OFFLINE" in note


def test_a_plan_is_saved_once(made: Plan, tmp_path: Path) -> None:
    path = made.save(tmp_path / "plan")
    assert path == tmp_path / "plan" / "plan.yaml"
    assert yaml.safe_load(path.read_text())["max_steps"] == 2
    assert "# from scratch: 2e-3" in path.read_text()
    stored = json.loads((tmp_path / "plan" / "fingerprint.json").read_text())
    assert Fingerprint.from_dict(stored) == made.fingerprint
    with pytest.raises(UsageError, match=r"plan.yaml: is there already; choose another --out"):
        made.save(tmp_path / "plan")
    made.save(tmp_path / "plan", overwrite=True)


def test_a_plan_is_obeyed(made: Plan, tmp_path: Path) -> None:
    result = train(plan=made, out=tmp_path / "run", quiet=True)
    assert result.steps == 2
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert config == yaml.safe_load(made.save(tmp_path / "plan").read_text())


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"mean": (0.5,), "std": (0.2,)}, r"mean has 1 entries, but pictures have 3 channels"),
        ({"rare_classes": ("caar",)}, r"unknown class in rare_classes 'caar': did you mean car"),
        ({"loss": "dise"}, r"unknown loss 'dise': did you mean dice"),
        ({"batch_size": 2, "accumulate": 3}, r"batch_size 2 is too small for 1 processes of 3"),
        ({"window": 64, "stride": 90}, r"stride 90 px must lie between 1 and the window, 64 px"),
        ({"window": 64, "protocol": "paper"}, r"protocol paper and window 64 px both say how"),
        ({"protocol": "papers"}, r"unknown protocol 'papers': did you mean paper"),
        ({"average_best": True}, r"average_best .* set keep_best to 2 or more"),
        ({"unlabelled": Path("more")}, r"unlabelled pictures in more need a teacher"),
        ({"freeze": ("encoder.stage.0",)}, r"unknown part to freeze 'encoder.stage.0'"),
    ],
)
def test_an_edited_plan_is_checked(
    made: Plan, tmp_path: Path, edit: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        train(plan=made, out=tmp_path / "run", quiet=True, **edit)
    assert not (tmp_path / "run").exists()


def test_a_recipe_reads_back_with_its_reasons(made: Plan) -> None:
    choices = [Choice("batch_size", 2, "one pass: over the data")]
    recipe = made.recipe.model_copy(update={"model_options": {"branches": [7], "rank": 4}})
    text = format_recipe(recipe, choices)
    assert "batch_size: 2  # one pass: over the data" in text
    assert Recipe(**yaml.safe_load(text)) == recipe


def test_a_quick_check_stops_a_run_with_one_line(tmp_path: Path) -> None:
    write_data(tmp_path, stripes([0, 1]), "a, b")
    for index in range(2):
        write_pair(tmp_path, "train", f"strange{index}", stripes([0, 9]))
    with pytest.raises(DataError, match=r"value 9.*; segnext data check lists everything$"):
        open_training_data(TrainConfig(data=tmp_path))


def test_what_a_quick_check_warns_of_is_said(tmp_path: Path) -> None:
    write_data(tmp_path, stripes([0, 1]), "a, b")
    write_pair(tmp_path, "val", "empty", stripes([255]))
    notes = open_training_data(TrainConfig(data=tmp_path)).notes
    assert notes[-1].startswith("1 val mask holds nothing that counts, of 3 looked at")


def test_an_encoder_is_a_pretrained_start(
    scenes: Path, smallest_model: SegNeXt, tmp_path: Path
) -> None:
    path = segnext.save_model(smallest_model, tmp_path / "encoder.safetensors")
    plan = segnext.plan(scenes, **{**TINY, "init": "pretrained"}, encoder=str(path), max_steps=2)
    assert plan.recipe.encoder == str(path)
    assert plan.recipe.decoder_lr_factor == 10.0
    assert plan.notes == ()
    with pytest.raises(UsageError, match=r"init none and encoder .* both give an encoder"):
        segnext.plan(scenes, **TINY, encoder=str(path))
