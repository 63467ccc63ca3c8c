import pytest

from segnext.deploy.verify import MOST_TIES
from subprocesses import run_python

pytest.importorskip("openvino", reason="needs openvino", exc_type=ImportError)

SIZES = ((1, 3, 64, 96), (2, 3, 70, 101), (1, 3, 32, 32), (3, 3, 45, 64))


def test_a_converted_model_runs_at_any_size() -> None:
    found = run_python(f"from runtime_checks import compare; compare('openvino', {SIZES})")
    assert found["name"] == "openvino"
    assert found["difference"] < 1e-3
    assert found["unequal"] <= MOST_TIES


SIGNAL = """
import gc, json, signal, threading
from exports import lively_model
from segnext.inference import open_runner
caught = []
signal.signal(signal.SIGINT, lambda number, _: caught.append(number))
runners = [open_runner(lively_model(), backend="openvino", threads=1)]

def drop():
    runners.clear()
    gc.collect()

thread = threading.Thread(target=drop)
thread.start()
thread.join()
signal.raise_signal(signal.SIGINT)
print(json.dumps(caught))
"""


def test_a_signal_after_the_last_network_is_gone_does_no_harm() -> None:
    assert run_python(SIGNAL) == [2]
