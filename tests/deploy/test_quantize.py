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


# Exports a model with the defaults and with everything in int8; prints what export told of the
# first, and the names of what `quantized` finds in both.
BOTH = """
import contextlib, io, json, sys
from pathlib import Path
from exports import export_and_predict
suffix, folder, calibrate = sys.argv[1:]
paths = {name: Path(folder, name + suffix) for name in ("all", "m")}
for name, path in paths.items():
    with contextlib.redirect_stdout(io.StringIO()) as told:
        options = {"int8": True, "int8_all": name == "all", "calibrate": calibrate}
        export_and_predict(str(path), options)
def show(quantized):
    names = [quantized(paths[name]) for name in ("m", "all")]
    print(json.dumps([json.loads(told.getvalue().splitlines()[-1]), *names]))
"""
CONVOLUTIONS = """
import openvino
def quantized(path):
    for node in openvino.Core().read_model(path).get_ops():
        if "Convolution" in node.get_type_name():
            weights = node.input_value(1).get_node()
            while weights.get_input_size():
                weights = weights.input_value(0).get_node()
            if weights.get_element_type() == openvino.Type.i8:
                yield node.get_friendly_name()
show(lambda path: list(quantized(path)))
"""
INITIALIZERS = """
import onnx
show(lambda path: [i.name for i in onnx.load(path).graph.initializer if i.data_type == 3])
"""


@pytest.mark.slow
def test_openvino_keeps_what_int8_would_harm(larger_scenes: Path, tmp_path: Path) -> None:
    need("openvino", "nncf")
    told, *names = run_python(BOTH + CONVOLUTIONS, ".xml", tmp_path, larger_scenes)
    assert told["report"]["precision"] == "int8"
    assert told["report"]["calibration_pictures"] == 6
    for everything, quantized in enumerate(names):
        assert any("stages.1" in name for name in quantized)
        assert any("stages.0" in name for name in quantized) == bool(everything)


@pytest.mark.slow
def test_onnx_quantizes_convolutions_behind_the_first_stage(scenes: Path, tmp_path: Path) -> None:
    need("onnx", "onnxruntime", "onnxscript")
    told, *names = run_python(BOTH + INITIALIZERS, ".onnx", tmp_path, scenes)
    # The description came through the quantization.
    assert told["report"]["precision"] == "int8"
    assert told["files"] == ["all.onnx", "all.onnx.report.json", "m.onnx", "m.onnx.report.json"]
    for everything, quantized in enumerate(names):
        assert any(name.startswith("network.stages.1.") for name in quantized)
        assert any(name.startswith("network.stages.0.") for name in quantized) == bool(everything)


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
