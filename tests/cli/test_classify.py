import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from class_photos import TINY, lines, write_color_photos
from conftest import SMALLEST as SMALLEST_SEGNEXT
from segnext.cli.main import app
from segnext.training.history import find_runs


def call(*words: object) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [*map(str, words)])


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_color_photos(tmp_path_factory.mktemp("photos"), train=4, val=2)


@pytest.fixture(scope="module")
def run(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    # The encoder's sizes are those of the smallest segmentation model, to start one from it.
    options: dict[str, Any] = {**TINY, "max_steps": 3, "validate_every": 2}
    del options["model_options"], options["stem_stride"], options["crop_size"]
    out = tmp_path_factory.mktemp("runs") / "run"
    words = [word for name, value in options.items() for word in ("--set", f"{name}={value}")]
    for name in ("embed_dims", "depths", "mlp_ratios"):
        words += ["--set", f"model_options.{name}={list(SMALLEST_SEGNEXT[name])}"]
    words += ["--crop", "32", "--stem-stride", "2"]
    done = call("classify", "train", photos, "--out", out, *words)
    assert done.exit_code == 0, done.output
    said = " ".join(done.stderr.split())
    assert "3 classes, photos: 12 train, 6 val" in said
    assert "best val top-1" in said
    return out


def test_train_writes_a_run(run: Path) -> None:
    assert [line["step"] for line in lines(run) if line["kind"] == "val"] == [2, 3]
    assert find_runs(run.parent) == []  # its scores are not those that `segnext runs` compares


def test_evaluate_prints_and_writes(run: Path, photos: Path, tmp_path: Path) -> None:
    weights = run / "best.safetensors"
    done = call("classify", "evaluate", weights, photos, "--device", "cpu", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert "top-1" in done.stdout
    assert "val, 6 photos, whole at 32x32" in done.stdout
    assert (tmp_path / "per_class.csv").read_text().startswith("folder,class,photos,accuracy")
    assert (tmp_path / "confusion.png").is_file()
    told = json.loads(call("classify", "evaluate", weights, photos, "--json").stdout)
    assert told["photos"] == 6
    assert told["top5"] is None


def test_predict_names_classes(run: Path, photos: Path, tmp_path: Path) -> None:
    weights, photo = run / "best.safetensors", photos / "val" / "red" / "red_0.png"
    done = call("classify", "predict", weights, photo, "--top", "2", "--device", "cpu")
    assert done.exit_code == 0, done.output
    assert len(done.stdout.splitlines()) == 3
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG")
    done = call("classify", "predict", weights, photo, broken, "--json")
    assert done.exit_code == 1
    first, second = json.loads(done.stdout)
    assert [entry["class"] for entry in first["classes"]] != []
    assert "broken.png" in second["problem"]
    assert "failed: " in done.stderr


def test_a_segmentation_takes_the_encoder(run: Path, scenes: Path, tmp_path: Path) -> None:
    small = [
        word
        for name, value in SMALLEST_SEGNEXT.items()
        for word in (
            "--set",
            f"model_options.{name}={list(value) if isinstance(value, tuple) else value}",
        )
    ]
    words = ["--crop", "64x64", "--batch-size", "2", "--workers", "0", "--device", "cpu"]
    words += ["--max-steps", "1", "--out", str(tmp_path / "run"), *small]
    weights = str(run / "best.safetensors")
    done = call("train", scenes, "--encoder", weights, *words)
    assert done.exit_code == 0, done.output
    said = " ".join(done.stderr.split())
    assert "best.safetensors was trained with stem_stride 2, this model has 4" in said
    assert "only the encoder is taken from" in said
    words[words.index(str(tmp_path / "run"))] = str(tmp_path / "other")
    both = call("train", scenes, "--encoder", weights, "--init", "none", *words)
    assert both.exit_code == 2
    assert "both give an encoder; drop one" in " ".join(both.stderr.split())


def test_a_config_is_used_again(run: Path, tmp_path: Path) -> None:
    words = ["--config", run / "config.yaml", "--out", tmp_path / "again", "--quiet"]
    done = call("classify", "train", *words)
    assert done.exit_code == 0, done.output
    one, two = ([x["loss"] for x in lines(folder)] for folder in (run, tmp_path / "again"))
    assert one == two


def test_mistakes_get_one_line(photos: Path, run: Path, tmp_path: Path) -> None:
    for words, code, message in [
        (["train"], 2, "no data given: segnext classify train DIR, or --resume RUN"),
        (["train", photos, "--set", "mixupp=1"], 2, "did you mean mixup"),
        (["train", photos, "--stem-stride", "3"], 2, "classification option stem_stride"),
        (["train", tmp_path], 1, "no folder train with a folder of photos for each class"),
        (["train", "--resume", tmp_path / "x"], 1, "no such run folder"),
        (["train", photos, "--set", "model_options.dropout=0.1"], 2, "is an option of its own"),
        (["evaluate", run / "config.yaml", photos], 1, "not a whole safetensors file"),
        (["predict", run / "best.safetensors", tmp_path / "no.png"], 1, "no such file"),
    ]:
        done = call("classify", *words)
        assert done.exit_code == code, done.output
        assert message in " ".join(done.stderr.split())


@pytest.mark.parametrize("command", ["train", "evaluate", "predict"])
def test_help_has_an_example(command: str) -> None:
    done = call("classify", command, "--help")
    assert done.exit_code == 0
    assert f"Example: segnext classify {command}" in " ".join(done.stdout.split())
