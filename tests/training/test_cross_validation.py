import json
from pathlib import Path

import pytest

from runs import TINY
from segnext import evaluate
from segnext.errors import TrainingError
from segnext.training.cross_validation import cross_validate

SHORT = {**TINY, "max_steps": 2, "validate_every": 2, "quiet": True}


def test_folds_are_trained_summed_up_and_asked_together(scenes: Path, tmp_path: Path) -> None:
    out = tmp_path / "folds"
    result = cross_validate(scenes, folds=2, out=out, **SHORT)
    assert [run.directory.name for run in result.runs] == ["fold_0", "fold_1"]
    summary = json.loads((out / "folds.json").read_text())
    scores = [run.metrics.miou for run in result.runs]
    assert [fold["miou"] for fold in summary["folds"]] == scores
    assert summary["miou"] == pytest.approx(sum(scores) / 2)
    assert summary["miou_std"] == pytest.approx(abs(scores[0] - scores[1]) / 2**0.5)
    assert evaluate(out, scenes, split="test", device="cpu").images == 3
    again = cross_validate(scenes, folds=2, out=out, **SHORT)  # nothing is left to do
    assert again.miou == pytest.approx(result.miou)
    (out / "fold_2").mkdir()
    with pytest.raises(TrainingError, match=r"holds fold_2, so it was cut into more than 2"):
        cross_validate(scenes, folds=2, out=out, **SHORT)
