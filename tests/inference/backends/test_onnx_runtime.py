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
