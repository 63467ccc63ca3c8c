from pathlib import Path

import numpy as np
from PIL import Image

from class_photos import FOLDERS
from pictures import save_picture
from segnext.classification.evaluation import ClassReport
from segnext.classification.files import ClassifierSpec
from segnext.classification.pictures import draw_confusion_matrix, draw_worst_confusions
from segnext.classification.scoring import ClassScores
from segnext.data.datasets.imagenet import ImageSplit


def build_report(root: Path, predicted: list[int]) -> ClassReport:
    labels = np.array([0, 0, 1, 2], np.int16)
    files = tuple(f"{FOLDERS[label]}/{index}.png" for index, label in enumerate(labels))
    for file in files:
        save_picture(root / file)
    confusion = np.zeros((3, 3), np.int64)
    np.add.at(confusion, (labels.astype(int), predicted), 1)
    scores = ClassScores(
        confusion, 0, 2.0, np.array(predicted), np.array([0.5, 0.9, 0.6, 0.7], np.float32)
    )
    names = ("goldfish, Carassius auratus", "tabby", "American bison of the great plains")
    spec = ClassifierSpec("mscan_tiny", {}, FOLDERS, names)
    return ClassReport(spec, "val", scores, ImageSplit(root, files, labels))


def test_the_matrix_is_drawn(tmp_path: Path) -> None:
    draw_confusion_matrix(build_report(tmp_path, [1, 1, 1, 0]), tmp_path / "matrix.png")
    with Image.open(tmp_path / "matrix.png") as picture:
        assert min(picture.size) > 400


def test_the_surest_mistakes_come_first(tmp_path: Path) -> None:
    report = build_report(tmp_path, [1, 1, 1, 0])
    worst = report.confusions()[0]
    assert (worst.true, worst.predicted, worst.count) == (0, 1, 2)
    assert [file.name for file in worst.files] == ["1.png", "0.png"]
    assert draw_worst_confusions(report, tmp_path / "worst.png")
    with Image.open(tmp_path / "worst.png") as picture:
        assert picture.size[1] > 300


def test_without_mistakes_nothing_is_drawn(tmp_path: Path) -> None:
    assert not draw_worst_confusions(build_report(tmp_path, [0, 0, 1, 2]), tmp_path / "worst.png")
    assert not (tmp_path / "worst.png").exists()
