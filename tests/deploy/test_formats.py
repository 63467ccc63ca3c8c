import importlib.util
from pathlib import Path
from typing import Any

import pytest

from segnext.deploy.formats import FORMATS, check_format, find_format
from segnext.deploy.verify import MOST_TIES
from segnext.errors import UsageError
from segnext.inference.backends import FILES, extras, torch_compiled
from subprocesses import run_python


def export(out: Path, **options: Any) -> dict[str, Any]:
    told = run_python(f"from exports import export_and_predict as e; e({str(out)!r}, {options})")
    assert isinstance(told, dict)
    return told


def need(module: str) -> None:
    pytest.importorskip(module, reason=f"needs {module}", exc_type=ImportError)


def test_what_is_written_is_what_can_be_run() -> None:
    assert FORMATS.keys() == FILES.keys()


def test_suffixes_in_capitals_are_the_same() -> None:
    assert find_format(Path("A.ONNX")).name == "ONNX"


@pytest.mark.parametrize(
    ("suffix", "module", "precision", "line"),
    [
        (".onnx", "onnxscript", "float32", 'ONNX needs onnxscript: pip install "segnext[export]"'),
        (".xml", "openvino", "float32", 'OpenVINO needs openvino: pip install "segnext[openvino]"'),
        (".xml", "nncf", "int8", 'OpenVINO needs nncf: pip install "segnext[openvino]"'),
        (".pte", "executorch", "float32", 'ExecuTorch needs executorch: pip install "segnext[mob'),
    ],
)
def test_what_is_missing_names_its_extra(
    suffix: str, module: str, precision: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(name: str) -> object:
        return None if name == module else object()

    monkeypatch.setattr(importlib.util, "find_spec", find)
    assert extras.missing_extra(module, "x") is not None
    with pytest.raises(UsageError) as caught:
        check_format(
            FORMATS[suffix],
            Path(f"out{suffix}"),
            precision,
            output="logits",
            size=(64, 64),
            batch=None,
        )
    assert line in str(caught.value)


def test_onnx_of_any_size(tmp_path: Path) -> None:
    need("onnxscript")
    told = export(tmp_path / "m.onnx")
    assert told["backend"] == "onnxruntime"
    assert told["unequal"] <= MOST_TIES
    assert told["files"] == ["m.onnx", "m.onnx.report.json"]
    assert told["classes"][0] == "sky"
    # What says where the network was traced is of no use to others.
    assert b"site-packages" not in (tmp_path / "m.onnx").read_bytes()
    assert str(Path(__file__).parents[2]).encode() not in (tmp_path / "m.onnx").read_bytes()


@pytest.mark.slow
def test_onnx_in_float16_is_half_the_size(tmp_path: Path) -> None:
    need("onnxscript")
    told = export(tmp_path / "m.onnx", fp16=True, size=(64, 96), batch=2)
    assert told["equal"] > 0.98
    report = told["report"]
    assert report["precision"] == "float16"
    assert report["batch"] == 2
    assert report["bytes"]["m.onnx"] < 0.85 * report["model_bytes"]


@pytest.mark.parametrize("options", [{}, {"output": "labels", "pixels": True}])
def test_openvino(options: dict[str, Any], tmp_path: Path) -> None:
    need("openvino")
    told = export(tmp_path / "m.xml", **options)
    assert told["backend"] == "openvino"
    assert told["unequal"] <= MOST_TIES
    assert told["files"] == ["m.bin", "m.xml", "m.xml.report.json"]


@pytest.mark.slow
def test_openvino_in_float16(tmp_path: Path) -> None:
    need("openvino")
    told = export(tmp_path / "m.xml", fp16=True)
    assert told["equal"] > 0.98
    assert told["report"]["bytes"]["m.bin"] < 0.55 * told["report"]["model_bytes"]


@pytest.mark.slow
def test_aotinductor(tmp_path: Path) -> None:
    missing = torch_compiled.missing_compiler()
    if missing is not None:
        pytest.skip(missing)
    told = export(tmp_path / "m.pt2", size=(64, 96))
    assert told["backend"] == "aotinductor"
    assert told["unequal"] <= MOST_TIES


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"output": "labels", "pixels": True}])
def test_executorch(options: dict[str, Any], tmp_path: Path) -> None:
    need("executorch")
    told = export(tmp_path / "m.pte", size=(64, 96), **options)
    assert told["backend"] == "executorch"
    assert told["unequal"] <= MOST_TIES
    assert told["files"] == ["m.pte", "m.pte.json", "m.pte.report.json"]
