import json
from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner, Result

from fake_backends import FAKES, open_fake
from segnext.benchmark import machine, run
from segnext.benchmark.memory import PeakMemory
from segnext.cli.main import app
from segnext.inference import backends


def call(*words: object) -> Result:
    return CliRunner().invoke(app, ["benchmark", *map(str, words)])


@pytest.fixture(autouse=True)
def _fake_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "BACKENDS", FAKES)
    monkeypatch.setattr(backends, "open_runner", open_fake)
    monkeypatch.setattr(machine, "_MEASURE_S", 0.01)
    monkeypatch.setitem(machine._SIDE, "cpu", 64)
    monkeypatch.setitem(machine._COPIED_VALUES, "cpu", 1000)


@pytest.fixture
def fast(scene_weights: Path) -> tuple[object, ...]:
    return (scene_weights, "--sizes", "64x96", "--rounds", 1, "--no-memory", "--device", "cpu")


def test_help_has_an_example() -> None:
    told = " ".join(call("--help").stdout.split())
    assert "Example: segnext benchmark segnext_tiny segnext_small" in told


def test_table_with_modules_and_gaps(fast: tuple[object, ...]) -> None:
    result = call(*fast, "--backends", "steady,absent", "--per-module")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    rows = [line.split() for line in lines if line.startswith("scenes.safetensors ")]
    assert rows[0][:2] == ["scenes.safetensors", "steady"]
    assert rows[1][-6:] == ["not", "measured", "-", "-", "-", "-"]
    assert "64x96, batch 1, float32, labels" in lines
    gap = 'absent needs pip install "segnext[absent]"'
    assert f"scenes.safetensors absent 64x96 batch 1 float32 labels: {gap}" in lines
    assert "scenes.safetensors, 64x96, one image" in result.stdout
    assert "decoder.hamburger.nmf" in result.stdout


def test_json_and_files(fast: tuple[object, ...], tmp_path: Path) -> None:
    out = tmp_path / "new" / "bench"
    words = ("--backends", "steady,hungry", "--sizes", "64x64, 64x96", "--precision")
    result = call(*fast, *words, "float32,bfloat16", "--json", "--out", out)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert len(told["rows"]) == 2 * 2 * 2
    assert {row["backend"] for row in told["rows"]} == {"steady", "hungry"}
    assert {row["precision"] for row in told["rows"]} == {"float32", "bfloat16"}
    assert [row["size"] for row in told["rows"][::4]] == [[64, 64], [64, 96]]
    assert set(told["machine"]["peak_gflops"]) == {"float32", "bfloat16"}
    assert json.loads((out / "benchmark.json").read_text()) == told
    assert cv2.imread(str(out / "benchmark.png")) is not None


def test_nothing_measured_leaves_exit_code_one_and_no_picture(
    fast: tuple[object, ...], tmp_path: Path
) -> None:
    result = call(*fast, "--backends", "absent", "--out", tmp_path)
    assert result.exit_code == 1
    assert "not measured" in " ".join(result.stdout.split())
    assert "benchmark.json" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["benchmark.json"]


def test_memory_is_measured_by_default(
    scene_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peak = PeakMemory(idle_mb=100.0, peak_mb=130.0, exact=True)
    monkeypatch.setattr(run, "measure_peak", lambda *_: peak)
    options = ("--sizes", "64x64", "--rounds", 1, "--device", "cpu", "--json")
    (row,) = json.loads(call(scene_weights, *options).stdout)["rows"]
    assert row["peak_memory_mb"] == 30.0
    assert row["backend"] == "steady"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("segnext_tinny",), 2, "unknown model 'segnext_tinny': did you mean segnext_tiny"),
        (("no.safetensors",), 1, "no.safetensors: no such file"),
        (("no.onnx",), 2, "no.onnx: no such file"),
        (("--backends", "stedy"), 2, "unknown backend 'stedy': did you mean steady"),
        (("--sizes", "big"), 2, "--sizes 'big': should read HEIGHTxWIDTH, such as 512x512"),
        (("--sizes", ","), 2, "--sizes ',': at least one value is needed"),
        (("--sizes", "16x16"), 2, "size 16x16: at least 32x32 px"),
        (("--precision", "int8"), 2, "unknown precision 'int8'"),
        (("--output", "masks"), 2, "unknown output 'masks'"),
        (("--device", "tpu"), 2, "unknown device 'tpu'"),
        (("--rounds", "0"), 2, "--rounds"),
    ],
)
def test_mistakes_get_one_line(words: tuple[str, ...], code: int, message: str) -> None:
    result = call(*words)
    assert result.exit_code == code
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.output
