import json
from dataclasses import replace
from pathlib import Path

import pytest

from runs import run
from segnext.report.after_training import is_main_process, try_report


def test_a_run_gets_the_report_of_its_best_weights(scenes: Path, tmp_path: Path) -> None:
    done = run(scenes, tmp_path / "run", max_steps=2, val_split="test")
    assert try_report(done) == f"report {done.directory / 'report' / 'index.html'}"
    found = json.loads((done.directory / "report" / "report.json").read_text())
    assert found["images"] == 3  # those of the split it validated on
    assert found["miou"] == pytest.approx(done.metrics.miou)
    assert found["weights"] == str(done.best)
    lost = replace(done, best=tmp_path / "gone.safetensors")
    assert try_report(lost).startswith(f"no report: {lost.best}: no such file")


def test_one_process_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_main_process()
    monkeypatch.setenv("RANK", "1")
    assert not is_main_process()
