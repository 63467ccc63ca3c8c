import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from exports import lively_model, stand_in
from segnext.cli.main import app
from segnext.weights import save_model


def call(*words: object) -> Result:
    return CliRunner().invoke(app, ["export", *map(str, words)])


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return save_model(lively_model(), tmp_path / "w.safetensors")


def told(result: Result) -> str:
    return " ".join(result.output.split())


def test_help_has_an_example() -> None:
    assert "Example: segnext export best.safetensors roads.xml --int8 --data roads/" in told(
        call("--help")
    )


def test_a_table_of_what_was_found(
    weights: Path, scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch)
    result = call(weights, tmp_path / "m.onnx", "--data", scenes, "--size", "64x96")
    assert result.exit_code == 0, result.output
    text = told(result)
    assert "written m.onnx 0.00 MB as ONNX, float32" in text
    assert "takes normalised images, 64x96 px, batch 1 gives logits verified logits differ" in text
    assert "of the labels equal, 2 pictures latency" in text
    assert "at the size of the file)" in text
    assert "points on 2 pictures of val, own size, whole image, single scale" in text


def test_json_alone(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch)
    words = ("--output", "labels", "--pixels", "--dynamic", "--json")
    result = call(weights, tmp_path / "m.onnx", *words)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found == json.loads((tmp_path / "m.onnx.report.json").read_text())
    assert (found["output"], found["pixels"], found["size"]) == ("labels", True, None)


@pytest.mark.parametrize(
    ("name", "words", "line"),
    [
        ("m.bin", (), "the suffix says what is written: .onnx (ONNX), .xml (OpenVINO), .pt2"),
        ("m.onnx", ("--size", "64"), "--size '64': should read HEIGHTxWIDTH, such as 512x512"),
        ("m.onnx", ("--size", "64x64", "--dynamic"), "--dynamic and --size exclude each other"),
        ("m.onnx", ("--int8",), "give --calibrate DIR"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(
    name: str,
    words: tuple[str, ...],
    line: str,
    weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stand_in(monkeypatch)
    result = call(weights, tmp_path / name, *words)
    assert result.exit_code == 2
    assert line in told(result)
    assert not (tmp_path / name).exists()


def test_a_failed_verification_is_exit_code_1(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, off_by=1.0)
    result = call(weights, tmp_path / "m.onnx")
    assert result.exit_code == 1
    assert "not written, as it would not be the model" in told(result)
