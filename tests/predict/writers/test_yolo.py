from pathlib import Path

import numpy as np
import pytest
import yaml

from round_trips import WITH_BACKGROUND, WITHOUT_BACKGROUND, assert_kept
from segnext.classes import Classes
from segnext.predict.writers.labelled import Labelled
from segnext.predict.writers.yolo import encode_yolo


@pytest.mark.parametrize("classes", [WITH_BACKGROUND, WITHOUT_BACKGROUND])
def test_masks_come_back(tmp_path: Path, classes: Classes) -> None:
    assert_kept(tmp_path, "yolo", classes)
    names = yaml.safe_load((tmp_path / "yolo/data.yaml").read_text())["names"]
    assert names == dict(enumerate(classes.names))


def test_a_line() -> None:
    mask = np.array([[0, 0, 1, 1], [0, 0, 1, 1]], np.uint8)
    picture = Labelled("a", Path("a.jpg"), mask, WITH_BACKGROUND)
    assert encode_yolo(picture, Path("a.txt")) == b"1 0.5 0 1 0 1 1 0.5 1\n"
