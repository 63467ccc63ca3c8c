import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from runs import lines, run, without_times
from segnext.training.determinism import deterministic_algorithms


def test_algorithms_are_chosen_only_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    with deterministic_algorithms(False):
        assert not torch.are_deterministic_algorithms_enabled()
        assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    with deterministic_algorithms(True):
        assert torch.are_deterministic_algorithms_enabled()
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert not torch.are_deterministic_algorithms_enabled()


NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=NO_GPU)])
def test_a_deterministic_run_gives_the_same_bits_twice(
    scenes: Path, tmp_path: Path, device: str
) -> None:
    options = {"deterministic": True, "device": device, "max_steps": 3, "validate_every": 3}
    folders = [run(scenes, tmp_path / name, **options).directory for name in ("a", "b")]
    assert without_times(lines(folders[0])) == without_times(lines(folders[1]))
    one, other = (load_file(folder / "checkpoint.safetensors") for folder in folders)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not torch.are_deterministic_algorithms_enabled()
