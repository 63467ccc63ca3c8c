import json
from dataclasses import replace
from pathlib import Path

import pytest

import segnext
from runs import TINY, run
from segnext.errors import DataError, SegnextError
from segnext.report import after_training
from segnext.report.after_training import cross_validate, report_run
from segnext.training import TrainRun
from segnext.training.display import Display

SHORT = {**TINY, "max_steps": 2, "validate_every": 2, "quiet": True}


def listen(patch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    patch.setattr(Display, "say", lambda self, text: said.append(text))
    return said


def test_a_training_ends_with_the_report_of_its_best_weights(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = listen(monkeypatch)
    done = segnext.train(scenes, out=tmp_path / "run", **{**SHORT, "val_split": "test"})
    page = done.directory / "report" / "index.html"
    assert said[-1] == f"report {page}"
    found = json.loads((page.parent / "report.json").read_text())
    assert found["images"] == 3  # those of the split it validated on
    assert found["miou"] == pytest.approx(done.metrics.miou)
    assert found["weights"] == str(done.best)
    # Gone on with once more, a finished run keeps its report; a lost one is made again.
    written = page.stat().st_mtime_ns
    segnext.train(resume=done.directory, quiet=True)
    assert page.stat().st_mtime_ns == written
    page.unlink()
    segnext.train(resume=done.directory, quiet=True, report=False)
    assert not page.exists()
    segnext.train(resume=done.directory, quiet=True)
    assert page.exists()


def test_folds_end_with_a_report_each(scenes: Path, tmp_path: Path) -> None:
    cross_validate(scenes, folds=2, out=tmp_path / "folds", **SHORT)
    found = [
        json.loads((tmp_path / "folds" / f"fold_{fold}" / "report" / "report.json").read_text())
        for fold in range(2)
    ]
    # Each is about another part of the data.
    names = [{picture["name"] for picture in report["pictures"]} for report in found]
    assert names[0].isdisjoint(names[1])


def test_a_report_that_fails_does_not_fail_the_training(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = listen(monkeypatch)

    def fail(run: TrainRun) -> None:
        msg = f"{run.best}: unreadable"
        raise DataError(msg)

    monkeypatch.setattr(after_training, "report_run", fail)
    done = segnext.train(scenes, out=tmp_path / "run", **SHORT)
    assert said[-1] == f"no report: {done.best}: unreadable"
    lost = replace(done, best=tmp_path / "gone.safetensors")
    with pytest.raises(SegnextError, match=r"gone\.safetensors: no such file"):
        report_run(lost)


def test_one_process_writes_and_none_in_a_rehearsal(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[TrainRun] = []
    monkeypatch.setattr(after_training, "report_run", asked.append)
    segnext.train(scenes, out=tmp_path / "dry", dry_run=True, **SHORT)
    assert not asked
    done = run(scenes, tmp_path / "run", max_steps=2)
    monkeypatch.setenv("RANK", "1")
    after_training._explain(done, quiet=True)
    assert not asked
    monkeypatch.setenv("RANK", "0")
    after_training._explain(done, quiet=True)
    assert asked == [done]
