import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from runs import TINY, lines, run, without_times
from segnext.errors import DataError, TrainingError, UsageError
from segnext.metrics import Metrics
from segnext.models import SegNeXt
from segnext.training import StoppedError, train
from segnext.training.display import Display
from segnext.training.learner import Batch, Learner, StepResult
from segnext.training.trainer import Trainer
from segnext.weights import load_model


def test_a_run_leaves_what_it_promises(scenes: Path, tmp_path: Path) -> None:
    result = run(scenes, tmp_path / "run")
    assert result.steps == 4
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {
        "best.safetensors",
        "checkpoint.safetensors",
        "config.yaml",
        "contact_sheet.png",
        "curves.png",
        "environment.json",
        "fingerprint.json",
        "last.safetensors",
        "metrics.jsonl",
        "per_class.csv",
        "samples",
    }
    assert [(r["kind"], r["step"]) for r in lines(tmp_path / "run")] == [
        ("train", 1),
        ("train", 2),
        ("val", 2),
        ("train", 3),
        ("train", 4),
        ("val", 4),
    ]
    assert len(list((tmp_path / "run" / "samples").iterdir())) == 2
    model = load_model(result.best)
    assert model.spec is not None
    assert model.spec.classes.names[0] == "sky"
    assert model.spec.score["miou"] == pytest.approx(result.metrics.miou)
    assert model.spec.score["split"] == "val"
    table = (tmp_path / "run" / "per_class.csv").read_text().splitlines()
    assert len(table) == 1 + 6
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert config["max_steps"] == 4
    assert config["learning_rate"] == pytest.approx(1e-3)
    assert "learning_rate: 0.001  # from scratch" in (tmp_path / "run/config.yaml").read_text()


def test_training_learns(scenes: Path, tmp_path: Path) -> None:
    result = run(
        scenes,
        tmp_path / "run",
        max_steps=60,
        validate_every=60,
        learning_rate=3e-3,
        photometric=False,
        scale_range=(1, 1),
        batch_size=4,
    )
    losses = [r["loss"] for r in lines(tmp_path / "run") if r["kind"] == "train"]
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])
    assert result.metrics.miou > 0.2


def test_a_stopped_run_resumes_to_the_same_bits(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = run(scenes, tmp_path / "straight", max_steps=6, validate_every=4)
    show_step = Display.show_step

    def stop_at_three(self: Display, step: int, **numbers: float) -> None:
        show_step(self, step, **numbers)
        if step == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Display, "show_step", stop_at_three)
    folder = tmp_path / "stopped"
    message = r"stopped at step 3 of 6, everything is saved; go on with segnext train --resume"
    with pytest.raises(StoppedError, match=message) as stopped:
        run(scenes, folder, max_steps=6, validate_every=4)
    assert stopped.value.exit_code == 130
    monkeypatch.undo()
    # Lines after the checkpoint, as a killed run would leave them, are dropped.
    with (folder / "metrics.jsonl").open("a") as log:
        log.write('{"kind": "train", "step": 4, "loss": 0, "lr": 0}\n')
    resumed = train(resume=folder, quiet=True)
    assert without_times(lines(folder)) == without_times(lines(tmp_path / "straight"))
    for name in ("best.safetensors", "last.safetensors", "checkpoint.safetensors"):
        ours, theirs = load_file(folder / name), load_file(tmp_path / "straight" / name)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours), name
    assert resumed.metrics.miou == straight.metrics.miou


def test_a_run_killed_before_its_first_checkpoint_starts_over(scenes: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.jsonl").write_text('{"kind": "train", "step": 1}\n')
    run(scenes, tmp_path / "run", max_steps=1)
    assert [(r["kind"], r["step"]) for r in lines(tmp_path / "run")] == [("train", 1), ("val", 1)]


def test_a_finished_run_resumes_to_itself(scenes: Path, tmp_path: Path) -> None:
    first = run(scenes, tmp_path / "run")
    before = lines(tmp_path / "run")
    again = train(resume=tmp_path / "run", quiet=True)
    assert lines(tmp_path / "run") == before
    assert again.metrics.miou == pytest.approx(first.metrics.miou, abs=1e-12)


def test_a_run_starts_from_weights(scenes: Path, tmp_path: Path) -> None:
    first = run(scenes, tmp_path / "first")
    second = run(
        scenes, tmp_path / "second", init=str(first.best), max_steps=1, learning_rate=1e-12
    )
    ours, theirs = load_file(second.best), load_file(first.best)
    key = "encoder.stages.2.blocks.0.ffn.expand.weight"
    torch.testing.assert_close(ours[key], theirs[key])
    torch.testing.assert_close(
        ours["decoder.classifier.weight"], theirs["decoder.classifier.weight"]
    )
    config = (tmp_path / "second" / "config.yaml").read_text()
    assert "decoder_lr_factor: 10.0  # the paper's" in config


def test_a_diverged_run_names_step_pictures_and_checkpoint(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn = Learner.learn

    def diverge(self: Learner, step: int, batch: Batch) -> StepResult:
        result = learn(self, step, batch)
        return replace(result, loss=float("nan"), finite=False) if step == 3 else result

    monkeypatch.setattr(Learner, "learn", diverge)
    folder = tmp_path / "run"
    message = (
        r"step 3: the loss is nan on scene_\d+.png, scene_\d+.png .*; the last good checkpoint is "
        r".*checkpoint.safetensors, at step 2; .* lower learning_rate \(now 0.001\)"
    )
    with pytest.raises(TrainingError, match=message):
        run(scenes, folder)
    about = json.loads((folder / "divergence.json").read_text())
    assert about["step"] == 3
    assert len(about["pictures"]) == 2


def test_half_precision_trains(scenes: Path, tmp_path: Path) -> None:
    result = run(scenes, tmp_path / "run", precision="bf16", max_steps=2)
    model = load_model(result.best)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert all(r["loss"] < 5 for r in lines(tmp_path / "run") if r["kind"] == "train")


def test_steps_follow_from_a_measured_budget(scenes: Path, tmp_path: Path) -> None:
    options = {k: v for k, v in TINY.items() if k != "quiet"}
    result = train(scenes, out=tmp_path / "run", budget="3s", quiet=True, **options)
    config = (tmp_path / "run" / "config.yaml").read_text()
    assert "s a step, measured" in config
    assert result.steps == yaml.safe_load(config)["max_steps"]


def test_wrong_calls_are_named(scenes: Path, tmp_path: Path) -> None:
    run(scenes, tmp_path / "run", max_steps=1)
    with pytest.raises(TrainingError, match="holds a run already; go on with --resume"):
        run(scenes, tmp_path / "run")
    with pytest.raises(UsageError, match="give nothing else"):
        train(scenes, resume=tmp_path / "run")
    with pytest.raises(UsageError, match="no data given: segnext train DIR"):
        train()
    with pytest.raises(TrainingError, match="nowhere: no such run folder"):
        train(resume=tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrainingError, match="no checkpoint there"):
        train(resume=tmp_path / "empty")
    with pytest.raises(UsageError, match="unknown model 'segnext_tinny'"):
        train(scenes, model="segnext_tinny")
    with pytest.raises(UsageError, match="mean has 1 entries, but pictures have 3 channels"):
        run(scenes, tmp_path / "other", mean=(0.5,), std=(0.5,))
    with pytest.raises(DataError, match="nowhere"):
        train(tmp_path / "nowhere")
    assert not (tmp_path / "other").exists()


@pytest.mark.camvid
@pytest.mark.slow
def test_a_short_training_on_camvid_lowers_the_loss(
    part_of_camvid: Callable[..., Path], tmp_path: Path
) -> None:
    train(
        part_of_camvid(train=4, val=10),
        out=tmp_path / "run",
        ignore_index=(11,),
        crop_size=(96, 128),
        base_size=(160, 120),
        batch_size=4,
        max_steps=30,
        validate_every=30,
        window=None,
        log_every=1,
        num_workers=0,
        device="cpu",
        quiet=True,
    )
    losses = [r["loss"] for r in lines(tmp_path / "run") if r["kind"] == "train"]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert lines(tmp_path / "run")[-1]["miou"] > 0.05


def test_a_run_ends_early_where_nothing_gets_better(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = iter([0.3, 0.2, 0.1, 0.9])
    score = Trainer._score

    def fall(self: Trainer, model: SegNeXt) -> Metrics:
        return replace(score(self, model), miou=next(found))

    monkeypatch.setattr(Trainer, "_score", fall)
    folder = tmp_path / "run"
    result = run(scenes, folder, max_steps=8, validate_every=2, patience=2)
    assert result.steps == 6
    assert [record["miou"] for record in lines(folder) if record["kind"] == "val"] == [
        0.3,
        0.2,
        0.1,
    ]
    monkeypatch.undo()
    again = train(resume=folder, quiet=True)  # nothing is left to do
    assert again.steps == 6


def test_the_best_weights_are_kept_and_their_mean_tried(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = iter([0.1, 0.3, 0.2, 0.9])
    score = Trainer._score

    def rank(self: Trainer, model: SegNeXt) -> Metrics:
        return replace(score(self, model), miou=next(found))

    monkeypatch.setattr(Trainer, "_score", rank)
    folder = tmp_path / "run"
    options = {"max_steps": 3, "validate_every": 1, "keep_best": 2, "average_best": True}
    result = run(scenes, folder, **options)
    kept = sorted(path.name for path in (folder / "best").iterdir())
    assert kept == ["step_000002.safetensors", "step_000003.safetensors"]
    assert result.metrics.miou == 0.9
    one, other = (load_file(folder / "best" / name) for name in kept)
    mean = load_file(result.best)
    for name, value in mean.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, (one[name] + other[name]) / 2)


def test_a_dry_run_writes_nothing(
    scenes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    train(scenes, **TINY, max_steps=4, dry_run=True)
    assert not list(tmp_path.iterdir())
    said = " ".join(capsys.readouterr().err.split())
    assert "dry run: one step (loss " in said
    assert "4 steps would go to runs/scenes-segnext_tiny-1" in said


def test_a_run_starts_from_weights_of_other_classes(
    scenes: Path, scene_weights: Path, tmp_path: Path
) -> None:
    result = run(scenes, tmp_path / "run", init=str(scene_weights), learning_rate=1e-9, ema_decay=0)
    ours, theirs = load_file(result.best), load_file(scene_weights)
    name = "decoder.classifier.weight"
    torch.testing.assert_close(ours[name], theirs[name], atol=1e-4, rtol=1e-4)


def test_resuming_may_change_the_machine_alone(scenes: Path, tmp_path: Path) -> None:
    run(scenes, tmp_path / "run")
    train(resume=tmp_path / "run", quiet=True, num_workers=1, device="cpu")
    with pytest.raises(UsageError, match=r"give nothing else but device"):
        train(resume=tmp_path / "run", quiet=True, batch_size=8)
