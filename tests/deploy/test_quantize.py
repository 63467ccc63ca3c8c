from collections.abc import Callable
from pathlib import Path

import pytest

from segnext.data.synthetic import write_scenes
from subprocesses import run_python

# How true int8 is to a model is asked of trained weights alone, at the end of this file.


def need(*modules: str) -> None:
    for module in modules:
        pytest.importorskip(module, reason=f"needs {module}", exc_type=ImportError)


@pytest.fixture
def larger_scenes(tmp_path: Path) -> Path:
    """Pictures on which OpenVINO 2026.4 survives int8: at 64x64 it crashes where AMX is there."""
    return write_scenes(tmp_path / "scenes", train=6, val=2, test=2, width=160, height=128)


# Names of the convolutions whose weights are int8.
CONVOLUTIONS = """
import json, sys, openvino
names = []
for node in openvino.Core().read_model(sys.argv[1]).get_ops():
    if "Convolution" in node.get_type_name():
        weights = node.input_value(1).get_node()
        while weights.get_input_size():
            weights = weights.input_value(0).get_node()
        if weights.get_element_type() == openvino.Type.i8:
            names.append(node.get_friendly_name())
print(json.dumps(names))
"""


@pytest.mark.parametrize("everything", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_openvino_keeps_what_int8_would_harm(
    everything: bool, larger_scenes: Path, tmp_path: Path
) -> None:
    need("openvino", "nncf")
    out = tmp_path / "m.xml"
    options = {"int8": True, "int8_all": everything, "calibrate": str(larger_scenes)}
    code = f"from exports import export_and_predict as e; e({str(out)!r}, {options})"
    told = run_python(code)
    assert told["report"]["precision"] == "int8"
    assert told["report"]["calibration_pictures"] == 6
    names = run_python(CONVOLUTIONS, out)
    assert any("stages.1" in name for name in names)
    assert any("stages.0" in name for name in names) == everything


@pytest.mark.parametrize("everything", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_onnx_quantizes_convolutions_behind_the_first_stage(
    everything: bool, scenes: Path, tmp_path: Path
) -> None:
    need("onnx", "onnxruntime", "onnxscript")
    out = tmp_path / "m.onnx"
    options = {"int8": True, "int8_all": everything, "calibrate": str(scenes)}
    code = f"from exports import export_and_predict as e; e({str(out)!r}, {options})"
    told = run_python(code)
    # The description came through the quantization.
    assert told["report"]["precision"] == "int8"
    assert told["files"] == ["m.onnx", "m.onnx.report.json"]
    code = (
        "import json, sys, onnx; graph = onnx.load(sys.argv[1]).graph; "
        "print(json.dumps([i.name for i in graph.initializer if i.data_type == 3]))"
    )
    names = run_python(code, out)
    assert any(name.startswith("network.stages.1.") for name in names)
    assert any(name.startswith("network.stages.0.") for name in names) == everything


SCORE = """
import json, sys
import segnext
options = {"data": sys.argv[3], "ignore_index": (11,), "int8": True, "calibration_pictures": 12}
report = segnext.export(sys.argv[1], sys.argv[2], **options)
print(json.dumps(report.to_dict()))
"""


@pytest.mark.slow
@pytest.mark.camvid
def test_int8_loses_less_than_half_a_point_on_camvid(
    part_of_camvid: Callable[..., Path], tmp_path: Path
) -> None:
    need("openvino", "nncf")
    weights = Path(__file__).parents[2] / "weights" / "segnext_tiny_camvid.safetensors"
    if not weights.exists():
        pytest.skip("needs the weights trained on CamVid")
    data = part_of_camvid(train=30, val=4)  # docs/benchmarks.md has all of val
    told = run_python(SCORE, weights, tmp_path / "m.xml", data)
    assert told["score"]["images"] == 26
    assert told["score"]["after"] > told["score"]["before"] - 0.005
    assert told["parity"]["equal_labels"] > 0.97
    assert sum(told["bytes"].values()) < 0.4 * told["model_bytes"]
