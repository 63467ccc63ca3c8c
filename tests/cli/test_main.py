import json
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from rich.text import Text
from typer.main import get_command
from typer.testing import CliRunner, Result

from segnext import __version__
from segnext.cli.main import app

COMMANDS = ["plan", "train", "evaluate", "predict", "video", "import-weights", "models"]
COMMANDS += ["data synthetic"]


def call(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps_with_an_example(command: str) -> None:
    result = call(*command.split(), "--help")
    assert result.exit_code == 0
    assert f"Example: segnext {command}" in " ".join(result.stdout.split())


def list_commands(command: Any) -> list[Any]:
    return [
        command,
        *(one for c in getattr(command, "commands", {}).values() for one in list_commands(c)),
    ]


def test_nothing_of_a_help_text_is_taken_for_markup() -> None:
    commands = list_commands(get_command(app))
    assert len(commands) > len(COMMANDS)
    for command in commands:
        for text in (command.help, *(getattr(p, "help", None) for p in command.params)):
            assert Text.from_markup(text or "").plain == (text or ""), command.name


def test_version() -> None:
    assert call("--version").stdout.strip() == f"segnext {__version__}"


def test_models() -> None:
    rows = json.loads(call("models", "--json").stdout)
    assert [row["parameters"] for row in rows[:4]] == [4263414, 13932886, 27636310, 48926550]
    assert {"name": "fcn_resnet50", "encoder": "resnet50", "decoder": "fcn"} in rows
    shown = call("models").stdout
    assert "segnext_large" in shown
    assert "setr_pup" in shown


def test_the_main_job_from_folder_to_masks(tmp_path: Path) -> None:
    scenes, run, out = tmp_path / "scenes", tmp_path / "run", tmp_path / "out"
    options = ("--train", 4, "--val", 2, "--test", 2, "--size", "64x64")
    assert call("data", "synthetic", scenes, *options).exit_code == 0
    small = "embed_dims=[16,32,32,32]", "depths=[1,1,1,1]", "decoder_width=32", "rank=4"
    told = ["max_steps=2", "batch_size=2", "num_workers=0"]
    told += [f"model_options.{option}" for option in small]
    words = [word for option in told for word in ("--set", option)]
    planned = call("plan", scenes, "--out", tmp_path / "plan", "--device", "cpu", *words)
    assert planned.exit_code == 0, planned.output
    assert "pictures are 64x64" in planned.output
    plan = tmp_path / "plan" / "plan.yaml"
    plan.write_text(plan.read_text().replace("flip: 0.5", "flip: 0.25"))
    assert "is there already" in call("plan", scenes, "--out", plan.parent, *words).stderr
    trained = call("train", "--plan", plan, "--out", run)
    assert trained.exit_code == 0, trained.output
    assert "best val mIoU" in trained.output
    assert "\nflip: 0.25\n" in (run / "config.yaml").read_text()
    weights = run / "best.safetensors"
    scored = call("evaluate", weights, scenes, "--split", "test", "--json", "--device", "cpu")
    assert scored.exit_code == 0
    assert json.loads(scored.stdout)["images"] == 2
    table = call("evaluate", weights, scenes, "--window", 48, "--device", "cpu").stdout
    assert "window 48 stride 32" in table
    assert "building" in table
    predicted = call("predict", weights, scenes / "test" / "images", "--out", out)
    assert predicted.exit_code == 0
    assert "2 predicted" in predicted.stdout
    assert (
        "2 were there already"
        in call("predict", weights, scenes / "test/images", "--out", out).stdout
    )
    assert len(list((out / "masks").iterdir())) == 2


def test_scores_by_named_protocols(scene_weights: Path, scenes: Path) -> None:
    options = ("--device", "cpu")
    told = call(
        "evaluate", scene_weights, scenes, "--protocol", "paper-ms", "--flip", "--json", *options
    )
    assert json.loads(told.stdout)["protocol"] == (
        "own size, whole image, scales 0.5/0.75/1/1.25/1.5/1.75, flip"
    )
    changed = ("--protocol", "authors", "--dataset", "isaid", "--short-side", 64)
    told = call("evaluate", scene_weights, scenes, *changed, "--json", *options)
    assert json.loads(told.stdout)["protocol"] == (
        "short side 64, stretched to multiples of 32, whole image, single scale, logits in two "
        "steps, pixels resized, mmcv's rounding"
    )
    every = call("evaluate", scene_weights, scenes, "--protocol", "all", *options)
    assert every.exit_code == 0
    assert "default, but flip" in " ".join(every.stdout.split())
    assert "2 pictures, rules for data of their own size" in every.stdout
    listed = call("evaluate", scene_weights, scenes, "--protocol", "all", "--json", *options)
    rows = {row["name"]: row for row in json.loads(listed.stdout)["protocols"]}
    assert rows["mmseg-1.x"]["protocol"].startswith("own size, padded to multiples of 32")
    ade = call("evaluate", scene_weights, scenes, "--dataset", "ade20k", *options).stdout
    assert "scene parsing challenge: " in ade


def test_predicts_by_a_named_protocol(scene_weights: Path, scenes: Path, tmp_path: Path) -> None:
    options = ("--protocol", "mmseg-0.x", "--dataset", "loveda", "--window", 256)
    out = tmp_path / "out"
    result = call("predict", scene_weights, scenes / "test" / "images", "--out", out, *options)
    assert result.exit_code == 0, result.output
    made = json.loads((out / "areas.json").read_text())["made"]
    assert made["protocol"].startswith("box 1024x1024, window 256 stride 170, single scale")


def test_writes_for_annotators_and_suggests(
    scene_weights: Path, scenes: Path, tmp_path: Path
) -> None:
    out, photos = tmp_path / "out", scenes / "test" / "images"
    options = ("--save", "contours, coco-rle,areas", "--suggest", 2, "--device", "cpu")
    result = call("predict", scene_weights, photos, "--out", out, *options)
    assert result.exit_code == 0, result.output
    places = ["masks", "contours", "confidence", "coco-rle", "areas.json", "areas.csv"]
    expected = [str(out / place) for place in (*places, "suggest.csv")]
    assert result.stdout.strip().endswith(", ".join(expected))
    assert all(Path(place).exists() for place in expected)
    lines = (out / "suggest.csv").read_text().splitlines()
    assert len(lines) == 3
    assert lines[1].startswith(f"1,{photos}")


def test_opencv_says_nothing_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENCV_LOG_LEVEL", "OPENCV_FFMPEG_LOGLEVEL"):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    assert call("models").exit_code == 0
    assert os.environ["OPENCV_LOG_LEVEL"] == "SILENT"
    assert os.environ["OPENCV_FFMPEG_LOGLEVEL"] == "-8"


def test_a_broken_picture_is_listed_with_exit_code_one(scene_weights: Path, tmp_path: Path) -> None:
    Image.new("RGB", (40, 40)).save(tmp_path / "good.png")
    (tmp_path / "bad.jpg").write_bytes(b"nothing")
    result = call("predict", scene_weights, tmp_path, "--out", tmp_path.parent / "broken-out")
    assert result.exit_code == 1
    assert "1 predicted" in result.stdout
    assert "1 failed:" in result.stderr
    assert "bad.jpg" in result.stderr


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("train", "nowhere"), 1, "nowhere"),
        (("train",), 2, "no data given: segnext train DIR, or --resume RUN"),
        (("train", "x", "--budget", "soon"), 2, "'soon' is no duration"),
        (("train", "x", "--set", "batchsize=3"), 2, "did you mean batch_size"),
        (("train", "x", "--crop", "big"), 2, "HEIGHTxWIDTH"),
        (("train", "x", "--model", "segnext_huge"), 2, "unknown model 'segnext_huge'"),
        (("evaluate", "no.safetensors", "x"), 1, "no.safetensors: no such file"),
        (("predict", "no.safetensors", "none.jpg"), 1, "none.jpg: no such file, folder or match"),
        (
            ("predict", "w", "a.jpg", "--save", "labels,cvt"),
            2,
            "unknown output 'cvt'",
        ),
        (("train", "x", "--set", "trackers=[tensorbord]"), 2, "did you mean tensorboard"),
        (("train", "x", "--domain", "forest"), 2, "training option domain"),
        (("plan", "x", "--memory", "lots"), 2, "'lots' is no amount of memory"),
        (("evaluate", "segnext_tiny_ade"), 2, "Missing argument"),
        (("evaluate", "segnext_tiny_ade", "x"), 1, "did you mean segnext_tiny_ade20k"),
        (("data", "synthetic", "x", "--size", "big"), 2, "WIDTHxHEIGHT"),
        (("data", "synthetic", "x", "--domain", "band"), 2, "unknown domain of scenes"),
        (("nothing",), 2, "nothing"),
    ],
)
def test_mistakes_get_one_line(words: tuple[str, ...], code: int, message: str) -> None:
    result = call(*words)
    assert result.exit_code == code
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.output


def test_options_out_of_range_are_wrong_use(scene_weights: Path, scenes: Path) -> None:
    result = call("evaluate", scene_weights, scenes, "--stride", 64)
    assert result.exit_code == 2
    assert "needs a window" in result.stderr
    result = call("evaluate", scene_weights, scenes, "--scales", "1,two")
    assert result.exit_code == 2
    assert "should be factors with commas between" in result.stderr
    result = call("evaluate", scene_weights, scenes, "--protocol", "mmseg-2.x")
    assert result.exit_code == 2
    assert "unknown protocol 'mmseg-2.x': did you mean mmseg-1.x" in " ".join(result.stderr.split())
    result = call("predict", scene_weights, scenes / "test" / "images", "--dataset", "ade")
    assert result.exit_code == 2
    assert "unknown data set 'ade': did you mean ade20k" in " ".join(result.stderr.split())
    result = call("evaluate", scene_weights, scenes, "--device", "tpu")
    assert result.exit_code == 2
    assert "unknown device 'tpu'" in result.stderr
