import json
from dataclasses import replace

import pytest
import torch

from segnext import __version__
from segnext.benchmark import machine
from segnext.benchmark.machine import Machine, describe_machine

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def here() -> Machine:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "_MEASURE_S", 0.01)
        patch.setitem(machine._SIDE, "cpu", 64)
        patch.setitem(machine._COPIED_VALUES, "cpu", 1000)
        return describe_machine(CPU, ("bfloat16", "float32"))


def test_this_machine_is_described(here: Machine) -> None:
    assert here.cpu
    assert here.logical_cores >= (here.cores or 1) >= 1
    assert here.memory_gb > 0.5
    assert here.versions["torch"].startswith(torch.__version__.partition("+")[0])
    assert here.versions["segnext"] == __version__
    assert here.threads == torch.get_num_threads()
    assert (here.device, here.accelerator, here.accelerator_memory_gb) == ("cpu", None, None)
    assert list(here.peak_gflops) == ["float32", "bfloat16"]
    assert min(*here.peak_gflops.values(), here.copy_gb_s) > 0


def test_json_and_lines(here: Machine) -> None:
    fixed = replace(
        here,
        cpu="A CPU",
        cores=None,
        logical_cores=2,
        threads=1,
        memory_gb=25.2,
        system="Linux 6 x86_64",
        versions={"segnext": "1.0", "torch": "2.13.0"},
        peak_gflops={"float32": 82.4, "bfloat16": 6.0},
        copy_gb_s=28.04,
    )
    assert json.loads(json.dumps(fixed.to_dict()))["peak_gflops"]["float32"] == 82.4
    assert fixed.describe() == [
        "A CPU, 2 cores, 1 threads, 25 GB; Linux 6 x86_64",
        "segnext 1.0, torch 2.13.0",
        "measured on cpu: 82 GFLOP/s float32, 6 GFLOP/s bfloat16; copying 28.0 GB/s",
    ]
    card = replace(
        fixed, device="cuda:0", accelerator="A GPU", accelerator_memory_gb=79.6, cuda="13.0"
    )
    assert card.describe()[1] == "A GPU, 80 GB, CUDA 13.0"


def test_a_precision_without_arithmetic_of_its_own_is_held_against_float32(here: Machine) -> None:
    slow = replace(here, peak_gflops={"float32": 80.0, "bfloat16": 6.0, "float16": 900.0})
    assert slow.best_gflops("bfloat16") == 80.0
    assert slow.best_gflops("float16") == 900.0
