from pathlib import Path

import pytest

from segnext.deploy.verify import MOST_TIES
from subprocesses import run_python

pytest.importorskip("onnxruntime", reason="needs onnxruntime", exc_type=ImportError)

SIZES = ((1, 3, 64, 96), (2, 3, 70, 101), (1, 3, 32, 32), (3, 3, 45, 64))


def test_a_converted_model_runs_at_any_size() -> None:
    found = run_python(f"from runtime_checks import compare; compare('onnxruntime', {SIZES})")
    assert found["name"] == "onnxruntime"
    assert found["difference"] < 1e-3
    assert found["unequal"] <= MOST_TIES


DAMAGED = """
import json, sys
from pathlib import Path
import onnx, torch
from onnx import TensorProto, helper
from segnext.errors import WeightsError
from segnext.inference.backends.onnx_runtime import OnnxRunner
value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("xxxx", "y")]
node = helper.make_node("Relu", ["xxxx"], ["y"])
graph = helper.make_graph([node], "g", value[:1], value[1:])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
path = Path(sys.argv[1])
path.write_bytes(model.SerializeToString().replace(b"xxxx", bytes([120, 120, 128, 120])))
try:
    OnnxRunner(path, device=torch.device("cpu"))
except WeightsError as error:
    print(json.dumps(str(error)))
"""


def test_names_that_are_no_text(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="needs onnx", exc_type=ImportError)
    said = run_python(DAMAGED, tmp_path / "a.onnx")
    assert said == f"{tmp_path / 'a.onnx'}: damaged, names in it are not UTF-8; export it again"
