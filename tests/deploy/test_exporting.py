import json
from pathlib import Path
from typing import Any

import pytest
import torch

import segnext
from exports import lively_model, stand_in
from segnext.deploy import ExportReport
from segnext.deploy.formats import FORMATS, Job
from segnext.errors import DataError, SegnextError, UsageError
from segnext.models import SegNeXt


@pytest.fixture
def model() -> SegNeXt:
    return lively_model()


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_file_comes_with_its_report(
    model: SegNeXt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch)
    steps: list[str] = []
    out = tmp_path / "new" / "model.onnx"
    report = segnext.export(model, out, on_step=steps.append)
    assert isinstance(report, ExportReport)
    assert sorted(content(out.parent)) == ["model.onnx", "model.onnx.report.json"]
    told = json.loads(out.with_name("model.onnx.report.json").read_text())
    assert told == json.loads(json.dumps(report.to_dict()))
    assert told["bytes"] == {"model.onnx": 3}
    assert told["parity"]["pictures"] == 2
    assert told["score"] is None
    assert steps == ["writing ONNX", "comparing with the model", "timing"]


def test_scored_before_and_after(
    model: SegNeXt, scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch)
    report = segnext.export(model, tmp_path / "model.onnx", data=scenes)
    assert report.score is not None
    assert (report.score.split, report.score.images) == ("val", 2)
    assert report.score.before == segnext.evaluate(model, scenes, device="cpu").miou
    assert report.score.after == pytest.approx(report.score.before, abs=1e-3)
    assert report.score.before_at_size is None
    assert report.parity.pictures == 2


def test_a_file_for_one_size_is_scored_at_that_size_too(
    model: SegNeXt, scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch)
    options: dict[str, Any] = {"size": (96, 64), "output": "labels", "pixels": True}
    report = segnext.export(model, tmp_path / "model.onnx", data=scenes, **options)
    assert report.description.batch == 1
    assert report.score is not None
    assert report.score.before_at_size is not None
    assert report.score.before_at_size != report.score.before
    assert report.score.after == pytest.approx(report.score.before_at_size, abs=0.05)


def test_int8_is_calibrated_with_the_train_split(
    model: SegNeXt, scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[Job] = []

    def write(job: Job, path: Path) -> None:
        jobs.append(job)
        path.write_bytes(b"new")

    stand_in(monkeypatch, write=write)
    out = tmp_path / "model.onnx"
    report = segnext.export(model, out, int8=True, data=scenes, calibration_pictures=4)
    assert report.calibration_pictures == 4
    assert [sample.shape for sample in jobs[0].samples] == [(1, 3, 64, 64)] * 4
    assert jobs[0].description.precision == "int8"
    assert not jobs[0].everything
    segnext.export(model, out, int8_all=True, calibrate=scenes / "val" / "images")
    assert jobs[1].everything
    assert len(jobs[1].samples) == 2


def test_what_fails_its_verification_leaves_the_older_file(
    model: SegNeXt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.xml").write_bytes(b"old")
    (tmp_path / "model.bin").write_bytes(b"old")
    before = content(tmp_path)
    stand_in(monkeypatch, off_by=1.0, suffix=".xml")
    with pytest.raises(SegnextError, match="not written, as it would not be the model"):
        segnext.export(model, tmp_path / "model.xml")
    assert content(tmp_path) == before
    assert len(list(tmp_path.iterdir())) == 2


def test_a_tool_that_fails_half_way_leaves_nothing(
    model: SegNeXt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(job: Job, path: Path) -> None:
        path.write_bytes(b"half")
        raise SegnextError("disk full")

    stand_in(monkeypatch, write=write)
    with pytest.raises(SegnextError, match="disk full"):
        segnext.export(model, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_said_in_one_line(
    model: SegNeXt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SegnextError, match=r"model.onnx: cannot be written \(") as caught:
        segnext.export(model, tmp_path / "file" / "model.onnx")
    assert "\n" not in str(caught.value)


def test_the_model_is_left_as_it_was(
    model: SegNeXt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch)
    model.train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    segnext.export(model, tmp_path / "model.onnx")
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("model.tflite", {}, r"the suffix says what is written: \.onnx \(ONNX\), \.xml \(OpenV"),
        ("model.onnx", {"int8": True}, "int8 needs pictures to find the range .* --calibrate DIR"),
        ("model.onnx", {"int8": True, "fp16": True}, "--int8 and --fp16 exclude each other"),
        ("model.onnx", {"output": "masks"}, "unknown output 'masks': valid: labels, logits"),
        ("model.onnx", {"size": (31, 64)}, "size 31x64 px is too small: at least 32x32"),
        ("model.onnx", {"batch": 0}, "batch must be 1 or more, got 0"),
        ("model.onnx", {"calibration_pictures": 0}, "calibration needs 1 picture or more, got 0"),
        ("model.pte", {}, "ExecuTorch files are for one size; give --size HEIGHTxWIDTH"),
        ("model.pte", {"size": (64, 64), "fp16": True}, "written in float32 here, not in float16"),
        ("model.pt2", {"fp16": True}, "AOTInductor files are written in float32 here, not in"),
        ("model.onnx", {"bundle": "b"}, "gives labels, .* add --pixels --output labels"),
        ("model.xml", {"bundle": "b"}, r"--bundle is for .onnx files, .* got .xml"),
    ],
)
def test_wrong_use_is_said_before_any_work(
    name: str,
    options: dict[str, Any],
    message: str,
    model: SegNeXt,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for suffix in FORMATS:
        stand_in(monkeypatch, suffix=suffix, write=lambda *_: pytest.fail("it began"))
    with pytest.raises(UsageError, match=message) as caught:
        segnext.export(model, tmp_path / name, **options)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_ensemble_is_several_files(
    model: SegNeXt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch)
    for fold in ("fold_0", "fold_1"):
        segnext.save_model(model, tmp_path / "cv" / fold / "best.safetensors")
    with pytest.raises(UsageError, match="an ensemble of 2 models is as many files"):
        segnext.export(tmp_path / "cv", tmp_path / "model.onnx")


def test_data_of_other_classes_are_refused(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch)
    with pytest.raises(DataError, match="classes, the model 2"):
        segnext.export(lively_model(num_classes=2), tmp_path / "model.onnx", data=scenes)
    assert list(tmp_path.iterdir()) == []
