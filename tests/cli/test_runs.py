import json
import os
from pathlib import Path
from typing import Any

import cv2
import pytest
from typer.testing import CliRunner, Result

from conftest import SMALLEST
from segnext.cli.main import app
from segnext.cli.runs import draw_sparkline
from segnext.training import train


def call(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def words(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return " ".join(result.stdout.split())


def make_run(
    path: Path, scores: dict[int, float], *, written: int = 1_700_000_000, **options: Any
) -> Path:
    """Write a run folder by hand: 40 steps, a validation per score, two classes."""
    path.mkdir(parents=True)
    config = {
        "data": "data/roads",
        "model": "segnext_tiny",
        "max_steps": 40,
        "validate_every": 20,
        "seed": 0,
        "base_size": None,
        **options,
    }
    text = "".join(f"{name}: {json.dumps(value)}\n" for name, value in config.items())
    (path / "config.yaml").write_text(text + "batch_size: 4  # [one] pass: over the data\n")
    log: list[dict[str, Any]] = []
    for step, score in scores.items():
        log.append({"kind": "train", "step": step, "loss": 2 / step, "elapsed_s": 60.0 * step})
        log.append({"kind": "val", "step": step, "miou": score, "pixel_accuracy": 0.9})
    (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
    if scores:
        best = max(scores.values())
        (path / "per_class.csv").write_text(
            f"class,iou,accuracy,dice\nroad [wet],{best},0.9,0.8\nsky,,,\n"
        )
    for file in path.iterdir():
        os.utime(file, (written, written))
    return path


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Three runs on two data sets."""
    make_run(tmp_path / "roads-1", {20: 0.25, 40: 0.625}, written=1_700_000_000)
    make_run(tmp_path / "roads-2", {20: 0.5}, written=1_700_000_100, seed=1)
    make_run(tmp_path / "more" / "fields-1", {}, written=1_700_000_200, data="fields/data.yaml")
    return tmp_path


@pytest.fixture(scope="module")
def trained(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps."""
    out = tmp_path_factory.mktemp("runs") / "scenes-1"
    options = {"crop_size": (64, 64), "batch_size": 2, "num_workers": 0, "device": "cpu"}
    train(
        scenes,
        out=out,
        quiet=True,
        model_options=SMALLEST,
        max_steps=2,
        validate_every=1,
        log_every=1,
        init="none",
        **options,
    )
    return out


@pytest.mark.parametrize("command", ["list", "show", "compare"])
def test_every_command_helps_with_an_example(command: str) -> None:
    assert f"Example: segnext runs {command} runs/" in words(call("runs", command, "--help"))


def test_list_is_sorted_by_time_and_marks_the_best(runs: Path) -> None:
    lines = call("runs", "list", runs).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["run", "fields-1", "roads-2", "roads-1"]
    cells = [" ".join(line.split()) for line in lines]
    assert "fields running or killed 0/40 - - 0:00:00" in cells[1]
    assert "roads running or killed 20/40 50.0 20 0:20:00" in cells[2]
    assert "roads done 40/40 * 62.5 40 0:40:00" in cells[3]
    assert "\x1b" not in "".join(lines)


def test_list_as_json(runs: Path) -> None:
    rows = json.loads(call("runs", "list", runs, "--json").stdout)
    assert rows[2] == {
        "name": "roads-1",
        "path": str(runs / "roads-1"),
        "model": "segnext_tiny",
        "data": "roads",
        "state": "done",
        "step": 40,
        "max_steps": 40,
        "best_miou": 0.625,
        "best_step": 40,
        "elapsed_s": 2400.0,
        "written": "2023-11-14T22:13:20+00:00",
        "best": True,
    }
    assert [(row["best"], row["best_miou"]) for row in rows[:2]] == [(False, None), (False, 0.5)]


def test_the_best_is_marked_per_data_set(tmp_path: Path) -> None:
    make_run(tmp_path / "a", {20: 0.9})
    make_run(tmp_path / "b", {20: 0.3}, data="fields")
    rows = json.loads(call("runs", "list", tmp_path, "--json").stdout)
    assert [row["best"] for row in rows] == [True, True]


def test_list_of_nothing(tmp_path: Path) -> None:
    assert words(call("runs", "list", tmp_path)) == f"no runs below {tmp_path}"
    assert json.loads(call("runs", "list", tmp_path, "--json").stdout) == []


def test_a_spoilt_folder_does_not_hide_the_others(runs: Path) -> None:
    (runs / "roads-2" / "config.yaml").write_text("[")
    result = call("runs", "list", runs, "--json")
    assert result.exit_code == 0
    assert [row["name"] for row in json.loads(result.stdout)] == ["fields-1", "roads-1"]
    assert f"left out: {runs / 'roads-2' / 'config.yaml'}: cannot be read" in result.stderr


def test_show_tells_what_is_there(runs: Path) -> None:
    text = words(call("runs", "show", runs / "roads-1"))
    assert f"{runs / 'roads-1'} segnext_tiny on data/roads: done at step 40 of 40, 0:40:00" in text
    assert "option value because batch_size 4 [one] pass: over the data" in text
    assert "other options: data data/roads, model segnext_tiny, max_steps 40" in text
    assert "base_size" not in text
    assert "mean accuracy 20 25.0 90.0 - 40 62.5 90.0 - best val mIoU 62.5 % at step 40 ▁█" in text
    assert "class IoU accuracy Dice road [wet] 62.5 90.0 80.0 sky - - -" in text
    assert f"{runs / 'roads-1' / 'metrics.jsonl'} the log" in text
    assert "go on with" not in text
    assert "problem" not in text


def test_show_tells_the_latest_of_many_validations(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {step: step / 100 for step in range(1, 16)})
    text = words(call("runs", "show", run))
    assert "the latest 12 of 15 validations" in text
    assert "mean accuracy 4 4.0" in text


def test_show_tells_that_nothing_can_be_resumed(runs: Path) -> None:
    text = words(call("runs", "show", runs / "more" / "fields-1"))
    assert "no validation yet" in text
    assert "no checkpoint to go on from" in text
    (runs / "roads-1" / "checkpoint.safetensors").write_bytes(b"")
    assert "problem: " in words(call("runs", "show", runs / "roads-1"))


def test_show_a_trained_run(trained: Path) -> None:
    about = json.loads(call("runs", "show", trained, "--json").stdout)
    assert (about["state"], about["step"], about["max_steps"]) == ("done", 2, 2)
    assert about["resume"] is None
    assert about["problems"] == []
    assert about["options"]["crop_size"] == [64, 64]
    assert about["reasons"].keys() <= about["options"].keys()
    assert "learning_rate" in about["reasons"]
    assert [validation["step"] for validation in about["validations"]] == [1, 2]
    best = max(about["validations"], key=lambda validation: validation["miou"])
    assert about["best_miou"] == best["miou"]
    assert about["per_class"].keys() == best["iou_per_class"].keys()
    for name, row in about["per_class"].items():
        assert row["iou"] == pytest.approx(best["iou_per_class"][name], abs=1e-6)
    assert len(about["files"]) == 11
    assert about["environment"][0]["step"] == 0
    assert all(Path(path).exists() for path in about["files"].values())


def test_show_tells_how_to_resume(trained: Path, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "my run", {1: 0.1})
    content = (trained / "checkpoint.safetensors").read_bytes()
    going_on = content.replace(rb"\"finished\": true", rb"\"finished\":false")
    assert len(going_on) == len(content)
    assert going_on != content
    (folder / "checkpoint.safetensors").write_bytes(going_on)
    command = f"segnext train --resume '{folder}'"
    assert f"go on with: {command}" in words(call("runs", "show", folder))
    assert json.loads(call("runs", "show", folder, "--json").stdout)["resume"] == command


def test_compare_puts_runs_side_by_side(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "curves.png"
    result = call("runs", "compare", runs / "roads-2", runs / "roads-1", "--out", out)
    text = words(result)
    assert "option roads-2 roads-1 seed 1 0 " in text
    assert "at step 20 40 training time 0:20:00 0:40:00" in text
    assert "val mIoU 50.0 62.5 (+12.5)" in text
    assert "IoU road [wet] 50.0 62.5 (+12.5) IoU sky - -" in text
    assert "do not compare" not in text
    assert f"curves in {out}" in text
    assert cv2.imread(str(out)).std() > 5


def test_compare_warns_of_scores_that_were_measured_differently(runs: Path, tmp_path: Path) -> None:
    out, paths = tmp_path / "c.png", (runs / "roads-1", runs / "more" / "fields-1")
    text = words(call("runs", "compare", *paths, "--out", out))
    assert "scores were measured differently and do not compare: see data" in text
    assert "val mIoU 62.5 -" in text


def test_compare_as_json(runs: Path, tmp_path: Path) -> None:
    out, paths = tmp_path / "c.png", (runs / "roads-1", runs / "roads-2")
    about = json.loads(call("runs", "compare", *paths, "--out", out, "--json").stdout)
    assert about["options"] == {"seed": [0, 1]}
    assert about["iou_per_class"] == {"road [wet]": [0.625, 0.5], "sky": [None, None]}
    assert [run["name"] for run in about["runs"]] == ["roads-1", "roads-2"]
    assert about["picture"] == str(out)
    assert out.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("list", "nowhere"), 1, "nowhere: no such folder"),
        (("show", "nowhere"), 1, "not a run folder: nowhere (no such folder)"),
        (("compare", "a"), 2, "compare needs at least two run folders, got 1"),
        (("compare", "a", "b"), 1, "not a run folder: a"),
        (("compare", "a", "b", "--out", "x.jpg"), 2, "--out x.jpg: the picture is a PNG"),
        (("compare",), 2, "Missing argument"),
    ],
)
def test_mistakes_get_one_line(arguments: tuple[str, ...], code: int, message: str) -> None:
    result = call("runs", *arguments)
    assert result.exit_code == code
    assert message in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([0.3], "▁"),
        ([0.2, 0.2], "▁▁"),
        ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
        ([0.6, 0.1], "█▁"),
        ([i / 1000 for i in range(1000)], "▁▂▃▄▅▆▇█"),
    ],
)
def test_sparklines(values: list[float], line: str) -> None:
    assert draw_sparkline(values, width=8) == line
