from pathlib import Path

import cv2
import numpy as np
import pytest

from segnext.errors import TrainingError
from segnext.metrics import compute_metrics
from segnext.training.run_files import next_run_folder
from segnext.training.run_folder import RunFolder


def test_log_is_cut_to_what_a_checkpoint_knows(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    assert folder.log_length() == 0
    folder.append({"kind": "train", "step": 1})
    length = folder.log_length()
    folder.append({"kind": "train", "step": 2})
    folder.cut_log(length)
    assert folder.read_log() == [{"kind": "train", "step": 1}]


def test_tables_leave_undefined_values_empty(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.write_per_class(["a", "b"], compute_metrics(np.array([[2, 0], [0, 0]])))
    assert folder.per_class.read_text().splitlines() == [
        "class,iou,accuracy,dice",
        "a,1.000000,1.000000,1.000000",
        "b,,,",
    ]


def test_curves_are_drawn_from_the_log(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    for step in range(1, 6):
        folder.append({"kind": "train", "step": step, "loss": 1 / step, "lr": 1e-3})
    folder.append({"kind": "val", "step": 5, "miou": 0.4})
    folder.draw_curves()
    picture = cv2.imread(str(folder.curves))
    assert picture.shape[1] > 2 * picture.shape[0]
    assert picture.std() > 5


def test_run_folders_are_numbered(tmp_path: Path) -> None:
    assert next_run_folder(tmp_path, "roads").name == "roads-1"
    (tmp_path / "roads-1").mkdir()
    assert next_run_folder(tmp_path, "roads").name == "roads-2"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="the run folder cannot be made"):
        RunFolder(tmp_path / "file" / "run")


def test_weights_of_the_best_steps_have_their_folder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    assert folder.all_kept() == []
    folder.kept(40).parent.mkdir()
    folder.kept(40).touch()
    folder.kept(5).touch()
    assert [path.name for path in folder.all_kept()] == [
        "step_000005.safetensors",
        "step_000040.safetensors",
    ]
