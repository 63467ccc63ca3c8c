import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from segnext.cli.main import app


def call(*words: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", *(str(word) for word in words)])


def test_a_report_comes_with_the_tables(scene_weights: Path, scenes: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    told = call(scene_weights, scenes, "--report", out, "--seeds", 2, "--device", "cpu")
    assert told.exit_code == 0, told.output
    assert "building" in told.stdout
    assert "95 % interval, bootstrap over 2 images" in told.stdout
    assert "other starts of the decomposition: " in told.stdout
    assert f"page: {out / 'index.html'}" in told.stdout
    assert (out / "index.html").is_file()
    words = ("--report", out, "--group", "^(.)", "--json", "--device", "cpu")
    found = json.loads(call(scene_weights, scenes, *words).stdout)
    plain = json.loads(call(scene_weights, scenes, "--json", "--device", "cpu").stdout)
    assert {key: found[key] for key in plain} == plain
    assert found["interval"] is None  # a single group
    assert found["starts"] is None
    assert found["cost"]["backend"] == "eager"


def test_weights_are_compared(scene_weights: Path, scenes: Path, tmp_path: Path) -> None:
    words = (scene_weights, scenes, "--compare", scene_weights, "--device", "cpu")
    told = call(*words, "--report", tmp_path / "duel")
    assert told.exit_code == 0, told.output
    assert "no clear winner: mIoU" in told.stdout
    assert (tmp_path / "duel" / "comparison.json").is_file()
    found = json.loads(call(*words, "--window", 48, "--json").stdout)
    assert found["difference"] == 0
    assert "window 48" in found["first_protocol"]
    assert found["first_protocol"] == found["second_protocol"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--protocol", "all", "--report", "x"), "--protocol all goes without --report"),
        (("--compare", "b", "--seeds", 2), "--seeds tells about one model"),
        (("--seeds", 2, "--backend", "folded"), "--seeds needs weights in the backend eager"),
    ],
)
def test_options_that_do_not_go_together(
    scene_weights: Path, scenes: Path, words: tuple[object, ...], message: str
) -> None:
    result = call(scene_weights, scenes, *words)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
