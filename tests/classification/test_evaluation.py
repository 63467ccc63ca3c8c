import csv
from pathlib import Path

import pytest

from class_photos import train_tiny, write_color_photos
from pictures import save_picture
from segnext.classification.evaluation import ClassReport, evaluate
from segnext.errors import DataError, UsageError


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_color_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def weights(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "run"
    return train_tiny(photos, out, max_steps=2, validate_every=2).best


@pytest.fixture(scope="module")
def report(photos: Path, weights: Path) -> ClassReport:
    return evaluate(weights, photos, device="cpu", num_workers=0)


def test_the_score_is_that_of_the_run(report: ClassReport) -> None:
    assert report.scores.top1 == report.spec.score["top1"]
    told = report.to_dict()
    assert told["photos"] == 12
    assert told["view"] == "whole at 32x32"
    assert [row["class"] for row in told["classes"]] == ["blue", "green", "red"]
    right = sum(row["photos"] * row["accuracy"] for row in told["classes"])
    assert right / 12 == pytest.approx(told["top1"])


def test_the_table_of_classes(report: ClassReport, tmp_path: Path) -> None:
    report.write_per_class(tmp_path / "per_class.csv")
    rows = list(csv.DictReader((tmp_path / "per_class.csv").read_text().splitlines()))
    assert [row["folder"] for row in rows] == ["blue", "green", "red"]
    assert [row["photos"] for row in rows] == ["4", "4", "4"]
    for row, scored in zip(rows, report.rows(), strict=True):
        assert float(row["accuracy"]) == pytest.approx(scored["accuracy"], abs=1e-6)
        assert (row["precision"] == "") == (scored["precision"] is None)


def test_confusions_are_counted_and_shown(report: ClassReport) -> None:
    found = report.confusions()
    wrong = report.scores.photos - round(report.scores.top1 * report.scores.photos)
    assert sum(confusion.count for confusion in found) == wrong
    counts = [confusion.count for confusion in found]
    assert counts == sorted(counts, reverse=True)
    for confusion in found:
        assert confusion.true != confusion.predicted
        assert len(confusion.files) == confusion.count
        assert {file.parent.name for file in confusion.files} == {
            report.spec.folders[confusion.true]
        }


def test_a_part_of_the_classes_is_enough(weights: Path, tmp_path: Path) -> None:
    save_picture(tmp_path / "val" / "green" / "a.png")
    report = evaluate(weights, tmp_path, device="cpu")
    assert report.scores.photos == 1
    assert [row["accuracy"] is None for row in report.rows()] == [True, False, True]


def test_mistakes_are_explained(photos: Path, weights: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown split 'test': one of train, val"):
        evaluate(weights, photos, split="test")
    with pytest.raises(DataError, match="no folder val with a folder of photos for each class"):
        evaluate(weights, tmp_path)
    (tmp_path / "val").mkdir()
    with pytest.raises(DataError, match="val: holds no folder of photos"):
        evaluate(weights, tmp_path)
    save_picture(tmp_path / "val" / "purple" / "a.png")
    with pytest.raises(DataError, match="has classes that the weights do not know: purple"):
        evaluate(weights, tmp_path)
