import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from pictures import save_splits
from segnext.classes import Classes
from segnext.cli.data_classes import describe_classes
from segnext.cli.main import app
from segnext.data.datasets.registry import DATASETS


def call(*words: object) -> Result:
    return CliRunner().invoke(app, ["data", "classes", *map(str, words)])


def described(*words: object) -> Any:
    result = call(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_map_of_a_known_data_set() -> None:
    shown = described("cityscapes")
    assert len(shown["classes"]) == 19
    assert shown["classes"][13] == {
        "train": 13,
        "raw": [26],
        "submission": 26,
        "name": "car",
        "color": [0, 0, 142],
    }
    assert shown["ignored"] == [0, 1, 2, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 29, 30, 255]
    assert shown["zero"].startswith("is void")
    lines = call("cityscapes").stdout.splitlines()
    assert lines[0].split() == ["mask", "value", "class", "test", "server", "color", "name"]
    assert lines[14].split() == ["26", "13", "26", "██", "#00008e", "car"]
    assert lines[-2] == "ignored: 0-6, 9-10, 14-16, 18, 29-30, 255"


@pytest.mark.parametrize("name", DATASETS)
def test_every_data_set_is_shown(name: str) -> None:
    assert len(described(name)["classes"]) == DATASETS[name].classes.num_labels
    assert call(name).exit_code == 0


def test_the_map_of_a_folder_and_of_weights(tmp_path: Path, scene_weights: Path) -> None:
    save_splits(tmp_path, train=2, val=1)
    (tmp_path / "classes.txt").write_text("road\nsky\n")
    shown = described(tmp_path)
    assert [row["name"] for row in shown["classes"]] == ["road", "sky"]
    assert shown["classes"][1]["submission"] is None
    assert shown["zero"] == "is road, a class like others"
    assert "test server" not in call(tmp_path).stdout
    assert described(scene_weights)["classes"][0]["name"] == "sky"


def test_several_values_of_one_class_and_no_zero() -> None:
    classes = Classes(("a", "b"), raw_to_train=((3, 0), (4, 0), (7, 1), (9, None)))
    shown = describe_classes(classes)
    assert [row["raw"] for row in shown["classes"]] == [[3, 4], [7]]
    assert shown["ignored"] == [9, 255]
    assert shown["zero"].startswith("is declared by nothing")
    one = describe_classes(Classes(("weed",)))
    assert one["zero"] == "is background, a class that counts"


def test_unknown_names(tmp_path: Path) -> None:
    wrong = call("cityscape")
    assert wrong.exit_code == 2
    assert "did you mean cityscapes" in wrong.stderr
    missing = call(tmp_path / "none.safetensors")
    assert missing.exit_code == 1
    assert "none.safetensors" in missing.stderr
