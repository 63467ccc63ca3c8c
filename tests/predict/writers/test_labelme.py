import json
from pathlib import Path

import numpy as np
import pytest

from round_trips import WITH_BACKGROUND, WITHOUT_BACKGROUND, assert_kept
from segnext.classes import Classes
from segnext.predict.writers.labelled import Labelled
from segnext.predict.writers.labelme import encode_labelme


@pytest.mark.parametrize("classes", [WITH_BACKGROUND, WITHOUT_BACKGROUND])
def test_masks_come_back(tmp_path: Path, classes: Classes) -> None:
    assert_kept(tmp_path, "labelme", classes)


def test_a_file_names_its_picture_where_it_lies(tmp_path: Path) -> None:
    mask = np.array([[0, 0, 1, 1], [0, 0, 1, 1]], np.uint8)
    picture = Labelled("sub/a", tmp_path / "photos/sub/a.jpg", mask, WITH_BACKGROUND)
    content = json.loads(encode_labelme(picture, tmp_path / "out/labelme/sub/a.json"))
    assert content["imagePath"] == "../../../photos/sub/a.jpg"
    assert (content["imageHeight"], content["imageWidth"]) == (2, 4)
    (shape,) = content["shapes"]
    assert (shape["label"], shape["shape_type"]) == ("crop", "polygon")
    assert shape["points"] == [[2, 0], [4, 0], [4, 2], [2, 2]]
