import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from defusedxml.ElementTree import parse

from round_trips import WITH_BACKGROUND, WITHOUT_BACKGROUND, assert_kept, write_annotations
from segnext.classes import Classes
from segnext.predict.writers.label_studio import LABEL_STUDIO
from segnext.predict.writers.labelled import Labelled


def submit(folder: Path) -> None:
    """Submit each prediction unchanged, as an annotator does, and export the project."""
    tasks = json.loads((folder / "tasks.json").read_text())
    for number, task in enumerate(tasks, 1):
        (prediction,) = task.pop("predictions")
        annotation = {"id": number, "was_cancelled": False, "result": prediction["result"]}
        task |= {"id": number, "annotations": [annotation]}
    (folder / "tasks.json").write_text(json.dumps(tasks))


@pytest.mark.parametrize("classes", [WITH_BACKGROUND, WITHOUT_BACKGROUND])
def test_submitted_predictions_come_back(tmp_path: Path, classes: Classes) -> None:
    assert_kept(tmp_path, "label-studio", classes, submit)


def test_a_task_and_the_interface(tmp_path: Path) -> None:
    mask = np.array([[0, 0, 1], [0, 0, 1]], np.uint8)
    folder = write_annotations(tmp_path, "label-studio", WITH_BACKGROUND, {"sub/a & b": mask})
    (task,) = json.loads((folder / "tasks.json").read_text())
    assert parse_qs(urlsplit(task["data"]["image"]).query)["d"] == ["sub/a & b.png"]
    (region,) = task["predictions"][0]["result"]
    assert (region["original_width"], region["original_height"]) == (3, 2)
    assert region["value"]["brushlabels"] == ["crop"]
    view = parse(folder / "label_config.xml").getroot()
    image, brush = view.find("Image"), view.find("BrushLabels")
    assert image.get("value") == "$image"
    assert (region["from_name"], region["to_name"]) == (brush.get("name"), image.get("name"))
    assert [label.get("value") for label in brush] == ["crop", "weed & <grass>"]


def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    picture = Labelled("a", Path("a.jp\udce9"), np.zeros((1, 1), np.uint8), WITH_BACKGROUND)
    LABEL_STUDIO.write_folder(tmp_path, [picture], WITH_BACKGROUND)
    (task,) = json.loads((tmp_path / "tasks.json").read_text())
    assert task["data"]["image"] == "/data/local-files/?d=a.jp%E9"
