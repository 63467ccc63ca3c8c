import json
from pathlib import Path

import numpy as np
import pytest
from defusedxml.ElementTree import parse

from round_trips import WITH_BACKGROUND, WITHOUT_BACKGROUND, assert_kept, write_annotations
from segnext.classes import Classes
from segnext.errors import DataError
from segnext.predict.writers.cvat import CVAT
from segnext.predict.writers.labelled import Labelled


@pytest.mark.parametrize("classes", [WITH_BACKGROUND, WITHOUT_BACKGROUND])
def test_masks_come_back(tmp_path: Path, classes: Classes) -> None:
    assert_kept(tmp_path, "cvat", classes)


def test_a_picture_and_its_labels(tmp_path: Path) -> None:
    mask = np.array([[0, 0, 0, 0], [0, 2, 0, 0], [0, 2, 2, 0]], np.uint8)
    folder = write_annotations(tmp_path, "cvat", WITH_BACKGROUND, {"sub/a & b": mask})
    root = parse(folder / "annotations.xml").getroot()
    assert root.findtext("version") == "1.1"
    assert [label.findtext("name") for label in root.iterfind("meta/task/labels/label")] == [
        *WITH_BACKGROUND.names
    ]
    image = root.find("image")
    assert image.attrib == {"id": "0", "name": "sub/a & b.png", "width": "4", "height": "3"}
    assert image.find("mask").attrib == {
        "label": "weed & <grass>",
        "source": "auto",
        "occluded": "0",
        "rle": "0, 1, 1, 2",
        "left": "1",
        "top": "1",
        "width": "2",
        "height": "2",
        "z_order": "0",
    }
    labels = json.loads((folder / "labels.json").read_text())
    assert [label["name"] for label in labels] == [*WITH_BACKGROUND.names]
    assert labels[0]["color"] == "#{:02x}{:02x}{:02x}".format(*WITH_BACKGROUND.label_colors[0])


@pytest.mark.parametrize("name", ["bell\x07", "latin\udce9"])
def test_a_name_that_xml_cannot_hold(tmp_path: Path, name: str) -> None:
    picture = Labelled(name, Path(f"{name}.jpg"), np.zeros((2, 2), np.uint8), WITH_BACKGROUND)
    with pytest.raises(DataError, match=r"\.jpg' holds the character .* XML cannot hold; rename"):
        CVAT.write_folder(tmp_path, [picture], WITH_BACKGROUND)
    assert not any(tmp_path.iterdir())
    with pytest.raises(DataError, match="'a class name' holds the character"):
        CVAT.write_folder(tmp_path, [], Classes(("a", name)))
