import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from segnext.errors import TrainingError
from segnext.training.checkpoint import Progress
from segnext.training.history import (
    Validation,
    _smooth,
    draw_comparison,
    find_runs,
    label_runs,
    read_run,
)

CONFIG = {"data": "data/roads", "model": "segnext_tiny", "max_steps": 40, "validate_every": 20}


def train_line(step: int, **entries: Any) -> dict[str, Any]:
    return {"kind": "train", "step": step, "loss": 1 / step, "lr": 1e-3, **entries}


def val_line(step: int, miou: float, **entries: Any) -> dict[str, Any]:
    return {"kind": "val", "step": step, "miou": miou, **entries}


def make_run(
    path: Path,
    log: list[dict[str, Any]] | None = None,
    *,
    progress: Progress | None = None,
    config: Mapping[str, Any] = CONFIG,
) -> Path:
    """Write a run folder by hand; the checkpoint fits the log unless it says otherwise."""
    path.mkdir(parents=True)
    text = "".join(f"{name}: {json.dumps(value)}\n" for name, value in config.items())
    (path / "config.yaml").write_text(text)
    if log is not None:
        (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
    if progress is not None:
        about = {"progress": asdict(progress), "recipe": dict(config)}
        metadata = {"segnext_run": json.dumps(about)}
        save_file({"weight": torch.zeros(1)}, path / "checkpoint.safetensors", metadata)
    return path


def length(log: list[dict[str, Any]]) -> int:
    return len("".join(json.dumps(line) + "\n" for line in log))


LOG = [
    train_line(10, elapsed_s=5.0),
    train_line(20, elapsed_s=11.0),
    val_line(20, 0.5, pixel_accuracy=0.8, mean_accuracy=0.6, iou_per_class={"a": 0.5, "b": None}),
]


def test_a_run_is_read(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "run-1", LOG))
    assert (run.name, run.data_name, run.max_steps, run.step) == ("run-1", "roads", 40, 20)
    assert run.elapsed_s == 11
    assert [(line.step, line.loss, line.elapsed_s) for line in run.steps] == [
        (10, 0.1, 5.0),
        (20, 0.05, 11.0),
    ]
    assert run.validations == [Validation(20, 0.5, 0.8, 0.6, {"a": 0.5, "b": None})]
    assert run.best == run.validations[0]
    assert run.written == (tmp_path / "run-1" / "metrics.jsonl").stat().st_mtime
    assert run.problems == []


@pytest.mark.parametrize(
    ("data", "name"),
    [("a/roads", "roads"), ("a/roads/data.yaml", "roads"), ("data.yml", "data.yml"), (".", ".")],
)
def test_data_is_named_by_its_folder(tmp_path: Path, data: str, name: str) -> None:
    assert read_run(make_run(tmp_path / "r", [], config={**CONFIG, "data": data})).data_name == name


def test_reasons_are_the_comments_behind_values(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [])
    (folder / "config.yaml").write_text(
        "data: 'a  # b'  # has a mark, see above\n"
        "model: segnext_tiny\n"
        "crop_size: [64, 96]  # pictures are 96x64: whole\n"
        "base_size: null  # none # needed\n"
        "scale_range:  # written by hand\n- 0.5\n- 2.0\n"
        "flip: 0.5\n"
    )
    run = read_run(folder)
    assert run.reasons == {
        "data": "has a mark, see above",
        "crop_size": "pictures are 96x64: whole",
        "base_size": "none # needed",
    }
    assert run.options["data"] == "a  # b"
    assert run.options["scale_range"] == [0.5, 2.0]
    assert run.options["base_size"] is None


@pytest.mark.parametrize("rest", ['{"kind": "tra', '{"kind": "train", "step": 30, "loss": 0.1}'])
def test_an_unended_last_line_is_no_problem(tmp_path: Path, rest: str) -> None:
    folder = make_run(tmp_path / "run", LOG)
    with (folder / "metrics.jsonl").open("a") as log:
        log.write(rest)
    run = read_run(folder)
    assert run.step == 20
    assert run.problems == []


@pytest.mark.parametrize(
    "line", ["{", "\0\0", "[]", '{"kind": "val", "step": 1}', '{"kind": "train"}', '"text"']
)
def test_a_spoilt_line_is_left_out_and_told(tmp_path: Path, line: str) -> None:
    folder = make_run(tmp_path / "run", LOG[:1])
    with (folder / "metrics.jsonl").open("a") as log:
        log.write(f"{line}\n{json.dumps(LOG[1])}\n")
    run = read_run(folder)
    assert [logged.step for logged in run.steps] == [10, 20]
    assert run.problems == [f"{folder / 'metrics.jsonl'}: line 2 cannot be read"]


def test_older_versions_may_have_written_less(tmp_path: Path) -> None:
    config = {"data": "roads", "model": "segnext_tiny"}
    log = [{"kind": "train", "step": 1}, {"kind": "note", "text": "later"}, val_line(1, 0.1)]
    run = read_run(make_run(tmp_path / "run", log, config=config))
    assert (run.max_steps, run.elapsed_s, run.state) == (None, 0, "unfinished")
    assert run.steps[0].loss is None
    assert run.best == Validation(1, 0.1, None, None, {})
    assert run.elapsed_at(1) is None
    assert run.per_class == {}


def test_the_table_of_classes_is_read(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", LOG)
    (folder / "per_class.csv").write_text('class,iou,accuracy\n"a, b",0.5,0.75\nc,,\n')
    assert read_run(folder).per_class == {
        "a, b": {"iou": 0.5, "accuracy": 0.75, "dice": None},
        "c": {"iou": None, "accuracy": None, "dice": None},
    }
    (folder / "per_class.csv").write_text("class,iou\na,high\n")
    run = read_run(folder)
    assert run.per_class == {}
    assert run.problems == [f"{folder / 'per_class.csv'}: not a table of classes"]


DONE = [*LOG, val_line(40, 0.4)]


@pytest.mark.parametrize(
    ("log", "progress", "state"),
    [
        (DONE, Progress(step=40, log_bytes=length(DONE)), "done"),
        (DONE, None, "done"),  # the checkpoint was deleted to save space
        (None, Progress(step=40), "done"),  # so was the log
        (LOG, Progress(step=23, log_bytes=length(LOG)), "stopped"),
        (LOG, Progress(step=13, log_bytes=length(LOG[:1])), "unfinished"),  # went on after a stop
        (LOG, Progress(step=20, log_bytes=length(LOG)), "unfinished"),  # just validated
        (LOG, None, "unfinished"),
        ([], None, "unfinished"),
    ],
)
def test_state(
    tmp_path: Path, log: list[dict[str, Any]] | None, progress: Progress | None, state: str
) -> None:
    assert read_run(make_run(tmp_path / "run", log, progress=progress)).state == state


def test_step_and_time_are_those_of_log_or_checkpoint(tmp_path: Path) -> None:
    ahead = Progress(step=23, elapsed_s=14.5, log_bytes=length(LOG))
    run = read_run(make_run(tmp_path / "ahead", LOG, progress=ahead))
    assert (run.step, run.elapsed_s) == (23, 14.5)
    behind = Progress(step=13, elapsed_s=7.0, log_bytes=length(LOG[:1]))
    run = read_run(make_run(tmp_path / "behind", LOG, progress=behind))
    assert (run.step, run.elapsed_s) == (20, 11)


def test_the_best_of_equals_is_the_later_as_in_training(tmp_path: Path) -> None:
    log = [val_line(10, 0.4), val_line(20, 0.5), val_line(30, 0.5), val_line(40, 0.1)]
    best = read_run(make_run(tmp_path / "run", log)).best
    assert best is not None
    assert best.step == 30


def test_without_a_log_the_checkpoint_knows_the_best(tmp_path: Path) -> None:
    run = read_run(
        make_run(tmp_path / "run", progress=Progress(step=30, best_miou=0.5, best_step=20))
    )
    assert run.best == Validation(20, 0.5, None, None, {})
    assert read_run(make_run(tmp_path / "new", progress=Progress(step=3))).best is None


def test_a_damaged_checkpoint_is_told(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", LOG)
    (folder / "checkpoint.safetensors").write_bytes(b"nothing")
    run = read_run(folder)
    assert run.progress is None
    assert len(run.problems) == 1
    assert "not a checkpoint of a segnext run" in run.problems[0]


@pytest.mark.parametrize(("step", "elapsed"), [(0, 0), (5, 2.5), (10, 5), (15, 8), (99, 11)])
def test_times_between_lines_are_interpolated(tmp_path: Path, step: int, elapsed: float) -> None:
    assert read_run(make_run(tmp_path / "run", LOG)).elapsed_at(step) == elapsed


def test_reading_writes_nothing(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", LOG, progress=Progress(step=20))
    before = {path: path.stat().st_mtime_ns for path in (folder, *folder.iterdir())}
    read_run(folder)
    assert {path: path.stat().st_mtime_ns for path in (folder, *folder.iterdir())} == before


def test_runs_are_found_three_levels_deep_without_links(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    near, far = make_run(runs / "b", []), make_run(runs / "a" / "x" / "y", [])
    make_run(runs / "too" / "deep" / "a" / "run", [])
    make_run(runs / "b" / "inside", [])
    outside = make_run(tmp_path / "outside", [])
    (runs / "link").symlink_to(outside)
    (runs / "loop").symlink_to(runs)
    (runs / "other").mkdir()
    (runs / "other" / "config.yaml").write_text("data: x\n")
    (runs / "file").write_text("")
    assert find_runs(runs) == [far, near]
    assert find_runs(near) == [near]
    with pytest.raises(TrainingError, match=r"nowhere: no such folder; name the one that holds"):
        find_runs(tmp_path / "nowhere")


def test_other_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"not a run folder: \S+nowhere \(no such folder\); se"):
        read_run(tmp_path / "nowhere")
    with pytest.raises(TrainingError, match=r"\(no config.yaml with metrics.jsonl or checkpoint"):
        read_run(tmp_path)
    other = make_run(tmp_path / "other", [], config={"lr": 1})
    with pytest.raises(TrainingError, match=r"other \(its config.yaml names no data and model\)"):
        read_run(other)
    (other / "config.yaml").write_text("a: [")
    with pytest.raises(TrainingError, match=r"config.yaml: cannot be read as YAML: while parsing"):
        read_run(other)
    (other / "config.yaml").write_text("")
    with pytest.raises(TrainingError, match=r"not a run folder"):
        read_run(other)


def test_labels_are_names_unless_two_are_the_same(tmp_path: Path) -> None:
    paths = [tmp_path / "a" / "run", tmp_path / "b" / "run", tmp_path / "b" / "other"]
    runs = [read_run(make_run(path, [])) for path in paths]
    assert label_runs(runs) == [str(paths[0]), str(paths[1]), "other"]


@pytest.mark.parametrize("window", [1, 3, 20])
def test_smoothing_is_a_mean_of_the_last_values(window: int) -> None:
    values = np.random.default_rng(0).random(12)
    expected = [values[max(0, i - window + 1) : i + 1].mean() for i in range(12)]
    np.testing.assert_allclose(_smooth(values, window), expected, rtol=1e-12)


def test_curves_of_every_run_are_drawn(tmp_path: Path) -> None:
    empty = read_run(make_run(tmp_path / "empty", []))
    blank = decode(draw_comparison([empty, empty]))
    old = read_run(make_run(tmp_path / "old", [{"kind": "train", "step": 1}, val_line(1, 0.1)]))
    full = read_run(make_run(tmp_path / "full", DONE))
    drawn = decode(draw_comparison([full, old]))
    assert drawn.shape[1] > 2 * drawn.shape[0]
    assert share_of(drawn, (0, 114, 178)) > 2 * share_of(blank, (0, 114, 178)) > 0
    assert share_of(drawn, (213, 94, 0)) > share_of(blank, (213, 94, 0)) > 0


def decode(png: bytes) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(png, np.uint8), 1), cv2.COLOR_BGR2RGB)


def share_of(picture: np.ndarray, color: tuple[int, int, int]) -> float:
    return float((picture == color).all(axis=2).mean())


def test_lines_and_options_that_are_no_numbers(tmp_path: Path) -> None:
    config = {**CONFIG, "max_steps": "many", "validate_every": [5]}
    run = read_run(make_run(tmp_path / "run", LOG, config=config, progress=Progress(step=20)))
    assert (run.max_steps, run.state) == (None, "unfinished")
    (run.path / "metrics.jsonl").write_text(
        '{"kind": "train", "step": 1e999}\n' + "[" * 99_999 + "\n"
    )
    assert [problem[-21:] for problem in read_run(run.path).problems] == [
        "line 1 cannot be read",
        "line 2 cannot be read",
    ]
