from pathlib import Path
from typing import Any

import pytest

from runs import lines, run
from segnext.errors import UsageError
from segnext.training import tracking
from segnext.training.tracking import Trackers, check_trackers

TRAIN = {"kind": "train", "step": 3, "loss": 1.5, "lr": 1e-3}
VAL = {"kind": "val", "step": 4, "miou": 0.25, "iou_per_class": {"road": 0.5, "sky": None}}


class Recorder:
    """Stands in for accelerate's part in logging."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.trackers = [self]

    def init_trackers(self, name: str, config: dict[str, Any]) -> None:
        self.calls.append(("init", name, config))

    def log(self, values: dict[str, Any], step: int) -> None:
        self.calls.append(("log", values, step))

    def finish(self) -> None:
        self.calls.append(("finish",))

    def end_training(self) -> None:
        raise AssertionError("would leave the process group that the run still needs")


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """What a tracker that is installed gets."""
    recorder = Recorder()
    monkeypatch.setattr(tracking, "_is_installed", lambda _: True)
    monkeypatch.setattr(tracking, "Accelerator", lambda **_: recorder)
    return recorder


def test_a_tracker_gets_the_configuration_and_every_number(
    recorder: Recorder, tmp_path: Path
) -> None:
    config = {"seed": 1, "crop_size": [64, 64], "budget": None, "fsdp": False}
    trackers = Trackers(["wandb"], tmp_path / "street", config)
    trackers.log(TRAIN)
    trackers.log(VAL)
    trackers.close()
    plain = {"seed": 1, "crop_size": "[64, 64]", "budget": "None", "fsdp": False}
    assert recorder.calls == [
        ("init", "segnext", plain),
        ("log", {"train/loss": 1.5, "train/lr": 1e-3}, 3),
        ("log", {"val/miou": 0.25, "val/iou/road": 0.5}, 4),
        ("finish",),
    ]


def test_without_names_nothing_is_made(recorder: Recorder, tmp_path: Path) -> None:
    trackers = Trackers([], tmp_path, {})
    trackers.log(TRAIN)
    trackers.close()
    assert recorder.calls == []


def test_an_unknown_tracker_is_answered_with_the_right_ones() -> None:
    message = r"^unknown tracker 'tensorbord': did you mean tensorboard\? valid: aim, clearml, "
    with pytest.raises(UsageError, match=message):
        check_trackers(["tensorbord"])


@pytest.mark.parametrize(
    ("name", "package"),
    [("tensorboard", '"segnext[track]"'), ("comet_ml", "comet-ml"), ("mlflow", "mlflow")],
)
def test_a_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    monkeypatch.setattr(tracking, "get_available_trackers", list)
    with pytest.raises(UsageError) as refused:
        check_trackers([name])
    assert str(refused.value) == f"tracker {name} is not installed: pip install {package}"


def test_a_missing_tracker_is_refused_before_a_run(
    monkeypatch: pytest.MonkeyPatch, scenes: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr(tracking, "get_available_trackers", list)
    with pytest.raises(UsageError, match=r"tracker mlflow is not installed: pip install mlflow"):
        run(scenes, tmp_path / "run", trackers=("mlflow",))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_tensorboard_shows_loss_and_score(scenes: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = tmp_path / "street"
    run(scenes, folder, max_steps=2, trackers=("tensorboard",))
    (events,) = (folder / "segnext").glob("events.out.tfevents.*")
    shown = EventAccumulator(str(events)).Reload()
    for kind, key in (("train", "loss"), ("val", "miou")):
        found = [(event.step, event.value) for event in shown.Scalars(f"{kind}/{key}")]
        expected = [(r["step"], r[key]) for r in lines(folder) if r["kind"] == kind]
        assert len(found) == (2 if kind == "train" else 1)
        assert found == [(step, pytest.approx(value, rel=1e-6)) for step, value in expected]
