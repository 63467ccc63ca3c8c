import json
import re
from pathlib import Path

import pytest

from segnext.data import open_folder
from segnext.errors import DataError, UsageError
from segnext.evaluation import evaluate
from segnext.report import compare_models, make_report
from segnext.report.reporting import check_out

FILES = {
    "index.html",
    "report.json",
    "report.schema.json",
    "classes.csv",
    "sizes.csv",
    "confusion.csv",
    "pictures.csv",
    "suspects.csv",
    "reliability.csv",
    "coverage.csv",
    "datapackage.json",
    "plots/pictures.svg",
    "plots/reliability.svg",
    "plots/coverage.svg",
}


def files_in(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_a_report_has_the_score_of_an_evaluation(
    scenes: Path, scene_weights: Path, tmp_path: Path
) -> None:
    out, done = tmp_path / "deep" / "report", []
    found = make_report(
        scene_weights,
        scenes,
        out,
        split="test",
        device="cpu",
        seeds=2,
        on_image=lambda *counts: done.append(counts),
    )
    scored = evaluate(scene_weights, scenes, split="test", device="cpu")
    assert found.miou == scored.miou
    assert found.confusion == tuple(map(tuple, scored.counts.tolist()))
    assert done == [(1, 3), (2, 3), (3, 3), *((n, 6) for n in range(1, 7))]
    assert found.weights == str(scene_weights)
    assert found.starts is not None
    assert found.starts.fixed == found.miou
    assert files_in(out) == FILES
    assert json.loads((out / "report.json").read_text())["miou"] == scored.miou
    page = (out / "index.html").read_text()
    assert page.count('<figure class="strip">') == len(found.worst) + len(found.suspects) + sum(
        len(one.pictures) for one in found.confusions[:20]
    )
    assert found.cost.peak_memory_mb > 50
    # An older report is replaced, and the same figures make the same plots.
    plot = (out / "plots" / "reliability.svg").read_bytes()
    make_report(scene_weights, scenes, out, split="test", device="cpu")
    assert (out / "plots" / "reliability.svg").read_bytes() == plot
    assert "random start" not in (out / "index.html").read_text()


def test_nothing_is_written_without_a_folder(scenes: Path, scene_weights: Path) -> None:
    found = make_report(
        scene_weights, open_folder(scenes), name="mine", protocol="mmseg-1.x", device="cpu"
    )
    assert found.weights == "mine"
    assert found.protocol.startswith("own size, padded to multiples of 32")


def test_two_models_are_compared(scenes: Path, scene_weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "duel"
    found = compare_models(
        scene_weights, [scene_weights], scenes, out, names=(None, "b"), device="cpu"
    )
    assert (found.first, found.second) == (str(scene_weights), "b")
    assert found.difference == 0
    assert files_in(out) == {
        "index.html",
        "comparison.json",
        "comparison.schema.json",
        "classes.csv",
        "pictures.csv",
        "datapackage.json",
    }
    assert compare_models(scene_weights, scene_weights, scenes, device="cpu").difference == 0
    make_report(scene_weights, scenes, out, device="cpu")
    assert files_in(out) == FILES  # nothing of the comparison stays beside the newer page


def test_other_pages_are_left_alone(scenes: Path, scene_weights: Path, tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_text("<html>mine</html>")
    with pytest.raises(UsageError, match=re.escape(f"{page} was not written by segnext evaluate")):
        make_report(scene_weights, scenes, tmp_path, device="cpu")
    with pytest.raises(UsageError, match="a file, and a report is a folder; give another name"):
        compare_models(scene_weights, scene_weights, scenes, page, device="cpu")
    assert page.read_text() == "<html>mine</html>"
    assert check_out(tmp_path / "new") == tmp_path / "new"
    with pytest.raises(DataError, match="no split 'dev'"):
        make_report(scene_weights, scenes, tmp_path / "new", split="dev", device="cpu")
    assert not (tmp_path / "new").exists()
