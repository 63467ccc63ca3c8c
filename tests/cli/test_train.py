from pathlib import Path

import yaml
from typer.testing import CliRunner, Result

from conftest import SMALLEST
from known_layouts import write_ade20k
from segnext.cli.main import app


def call(*words: object) -> Result:
    return CliRunner().invoke(app, ["train", *map(str, words)])


def test_list_shows_every_recipe() -> None:
    result = CliRunner(env={"COLUMNS": "120"}).invoke(app, ["train", "--recipe", "list"])
    assert result.exit_code == 0
    rows = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "ade20k/segnext_tiny 512x512 16 160,000 41.1 mIoU on val, 42.2 multi-scale" in rows
    assert "cityscapes/segnext_large 1024x1024 8 160,000 83.2 mIoU on val, 83.9 multi-scale" in rows
    assert sum(row.count("x") > 1 for row in rows) >= 28


def test_a_recipe_is_obeyed_but_for_what_is_given(tmp_path: Path) -> None:
    data, run = write_ade20k(tmp_path), tmp_path / "run"
    words = ["--recipe", "ade20k/segnext_tiny", "--init", "none", "--crop", "64x64", "--quiet"]
    words += ["--batch-size", "2", "--max-steps", "2", "--workers", "0", "--device", "cpu"]
    small = [f"{name}={list(v) if isinstance(v, tuple) else v}" for name, v in SMALLEST.items()]
    words += [word for option in small for word in ("--set", f"model_options.{option}")]
    result = call(data, *words, "--out", run)
    assert result.exit_code == 0, result.output
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert (config["batch_size"], config["max_steps"], config["crop_size"]) == (2, 2, [64, 64])
    assert (config["groups"], config["format"], config["warmup_steps"]) == (
        "authors",
        "ade20k",
        1500,
    )
    assert config["protocol"] == "authors"
    weights = run / "best.safetensors"
    scored = CliRunner().invoke(app, ["evaluate", str(weights), str(data), "--device", "cpu"])
    # The weights keep the protocol that they were validated by.
    assert "box 2048x512, stretched to multiples of 32, whole image" in " ".join(
        scored.stdout.split()
    )


def test_mistakes_get_one_line(tmp_path: Path) -> None:
    for words, message in [
        (["--recipe", "ade20k/segnext_tiny"], "no data given: segnext train DIR"),
        (["x", "--recipe", "ade20k/segnext_tin"], "did you mean ade20k/segnext_tiny"),
        (["x", "--recipe", "a", "--plan", "b"], "--recipe a and --plan b both say everything"),
        (["--resume", tmp_path, "--recipe", "ade20k/segnext_tiny"], "give nothing else but"),
        (["x", "--set", "protocol=mmseg"], "unknown protocol 'mmseg'"),
        (["--find-lr"], "no data given: segnext train DIR --find-lr"),
        (["x", "--find-lr", "--find-batch"], "two trials; find the batch first, then its rate"),
        (["x", "--set", "on_bad_sample=ignore"], "on_bad_sample: Input should be 'stop' or 'skip'"),
    ]:
        result = call(*words)
        assert result.exit_code == 2, result.output
        assert message in " ".join(result.stderr.split())
