"""Whole runs: they learn, resume to the same bits, and do not depend on processes or workers."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from class_photos import TINY, lines, train_tiny, write_color_photos
from pictures import save_picture
from runs import without_times
from segnext.classification import StoppedError, evaluate, load_classifier, train
from segnext.classification.trainer import ClassifierTrainer, ClassifyProgress
from segnext.errors import DataError, TrainingError, UsageError, WeightsError
from segnext.training.checkpoint import read_stand

posix = pytest.mark.skipif(sys.platform == "win32", reason="kills and gloo are for POSIX here")
LONG: dict[str, Any] = {"max_steps": 12, "validate_every": 6, "log_every": 3}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_color_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def straight(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed."""
    return train_tiny(photos, tmp_path_factory.mktemp("straight") / "run", **LONG).directory


def assert_same_bits(ours: Path, theirs: Path) -> None:
    assert without_times(lines(ours)) == without_times(lines(theirs))
    for name in ("best.safetensors", "last.safetensors", "checkpoint.safetensors"):
        found, expected = load_file(ours / name), load_file(theirs / name)
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], expected[key]) for key in found), name


def command(photos: Path, out: Path, **options: Any) -> list[str]:
    words = ["-m", "segnext", "classify", "train", str(photos), "--out", str(out)]
    for name, value in (TINY | LONG | options).items():
        told = {k: list(v) for k, v in value.items()} if isinstance(value, dict) else value
        words += ["--set", f"{name}={json.dumps(told)}"]
    return words


def start(words: list[str], *, processes: int = 1) -> subprocess.Popen[str]:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return subprocess.Popen(
        [sys.executable, *(launcher if processes > 1 else []), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_colours_are_learned_in_seconds(photos: Path, tmp_path: Path) -> None:
    gentle = {"mixup": 0.0, "cutmix": 0.0, "randaugment": 0, "erasing": 0.0, "ema_decay": 0.9}
    run = train_tiny(photos, tmp_path / "run", max_steps=40, validate_every=20, **gentle)
    assert run.top1 == run.scores.top1 > 0.9
    assert run.top5 is None
    assert run.directory == tmp_path / "run"
    assert evaluate(run.best, photos, split="val", device="cpu").scores.top1 == run.top1
    model, spec = load_classifier(run.best)
    assert spec.folders == ("blue", "green", "red")
    assert spec.score["top1"] == run.scores.top1
    assert spec.view.describe() == "whole at 32x32"
    assert not model.training


def test_a_run_leaves_its_files(straight: Path) -> None:
    names = {path.name for path in straight.iterdir()}
    assert names == {
        *("config.yaml", "metrics.jsonl", "curves.png"),
        *("best.safetensors", "last.safetensors", "checkpoint.safetensors"),
    }
    config = yaml.safe_load((straight / "config.yaml").read_text())
    assert config["crop_share"] == 0.0
    assert "# small pictures are seen whole" in (straight / "config.yaml").read_text()
    records = lines(straight)
    assert [r["step"] for r in records if r["kind"] == "train"] == [3, 6, 9, 12]
    validations = [r for r in records if r["kind"] == "val"]
    assert [r["step"] for r in validations] == [6, 12]
    assert validations[0].keys() == {"kind", "step", "loss", "top1", "top5"}


@pytest.mark.parametrize("options", [{"num_workers": 2}, {}])
def test_a_stopped_run_resumes_to_the_same_bits(
    photos: Path,
    straight: Path,
    tmp_path: Path,
    options: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    step = ClassifierTrainer._step

    def stop(self: ClassifierTrainer, *arguments: Any) -> None:
        step(self, *arguments)
        if self.progress.step == 5:
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(ClassifierTrainer, "_step", stop)
        message = "stopped at step 5 of 12, .* segnext classify train --resume"
        with pytest.raises(StoppedError, match=message) as stopped:
            train_tiny(photos, tmp_path / "run", **LONG)
    assert stopped.value.exit_code == 143
    run = train(resume=tmp_path / "run", quiet=True, **options)
    assert run.steps == 12
    assert_same_bits(tmp_path / "run", straight)


@posix
@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_bits(
    photos: Path, straight: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    process = start(command(photos, folder, checkpoint_every=0.02))
    deadline = time.monotonic() + 120
    while not (folder / "checkpoint.safetensors").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.communicate()
    progress, _ = read_stand(folder / "checkpoint.safetensors", ClassifyProgress)
    assert 0 < progress.step <= 12
    train(resume=folder, quiet=True)
    assert_same_bits(folder, straight)
    assert not list(folder.rglob(".*"))


@posix
@pytest.mark.slow
def test_two_processes_train_as_one(photos: Path, straight: Path, tmp_path: Path) -> None:
    process = start(command(photos, tmp_path / "run"), processes=2)
    said, _ = process.communicate(timeout=180)
    assert process.returncode == 0, said
    # AdamW makes much of the rounding of small gradients, which the weights then carry.
    for kind, name, close in (("train", "loss", 1e-4), ("val", "loss", 1e-3), ("val", "top1", 0)):
        one, two = (
            [record[name] for record in lines(folder) if record["kind"] == kind]
            for folder in (straight, tmp_path / "run")
        )
        assert two == pytest.approx(one, abs=close), (kind, name)


def test_parts_of_a_batch_and_repeats_train(photos: Path, tmp_path: Path) -> None:
    options = {"accumulate": 2, "repeats": 2, "clip_norm": 1.0, "dropout": 0.2, "drop_path": 0.2}
    run = train_tiny(photos, tmp_path / "run", crop="padded", **options)
    assert run.steps == 6


def test_a_run_starts_from_another(photos: Path, straight: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"max_steps": 1, "validate_every": 1, "ema_decay": 0.0}
    frozen = {"learning_rate": 1e-12, "min_learning_rate": 0.0, "weight_decay": 0.0}
    best = straight / "best.safetensors"
    run = train_tiny(photos, tmp_path / "run", init=str(best), **options, **frozen)
    ours, theirs = load_file(run.best), load_file(best)
    assert torch.allclose(ours["head.weight"], theirs["head.weight"])
    assert torch.allclose(
        ours["encoder.stages.3.blocks.0.ffn.expand.weight"],
        theirs["encoder.stages.3.blocks.0.ffn.expand.weight"],
    )


def test_a_budget_becomes_steps(photos: Path, tmp_path: Path) -> None:
    run = train_tiny(photos, tmp_path / "run", max_steps=None, validate_every=None, budget="1s")
    text = (run.directory / "config.yaml").read_text()
    assert "s a step, measured" in text
    assert 1 <= run.steps < 2000


def test_mistakes_are_explained(photos: Path, straight: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no data given: segnext classify train DIR"):
        train(quiet=True)
    with pytest.raises(UsageError, match="unknown classification option 'mixap': did you mean mix"):
        train_tiny(photos, tmp_path / "run", mixap=1)
    with pytest.raises(UsageError, match=r"option erasing: .* less than or equal to 1 \(got 2\)"):
        train_tiny(photos, tmp_path / "run", erasing=2)
    with pytest.raises(UsageError, match="batch_size 7 is odd: mixup and CutMix pair samples"):
        train_tiny(photos, tmp_path / "run", batch_size=7)
    with pytest.raises(UsageError, match="batch_size 8 does not hold several photos 3 times each"):
        train_tiny(photos, tmp_path / "run", repeats=3)
    with pytest.raises(UsageError, match="too small for 1 processes of 5 parts each; at least 10"):
        train_tiny(photos, tmp_path / "run", accumulate=5)
    with pytest.raises(UsageError, match="epochs and max_steps both say how long"):
        train_tiny(photos, tmp_path / "run", epochs=3)
    with pytest.raises(UsageError, match="did you mean mscan_tiny"):
        train_tiny(photos, tmp_path / "run", model="mscan_tin")
    with pytest.raises(TrainingError, match="holds a run already; go on with --resume"):
        train_tiny(photos, straight)
    with pytest.raises(TrainingError, match="no such run folder"):
        train(resume=tmp_path / "nothing", quiet=True)
    with pytest.raises(UsageError, match="resume goes on with a run's own data"):
        train(resume=straight, quiet=True, epochs=3)
    with pytest.raises(DataError, match="no folder train with a folder of photos for each class"):
        train_tiny(tmp_path, tmp_path / "run")
    with pytest.raises(WeightsError, match="no such file"):
        train_tiny(photos, tmp_path / "run", init=str(tmp_path / "no.safetensors"))
    assert not (tmp_path / "run").exists()


def test_a_broken_photo_is_named(tmp_path: Path) -> None:
    photos = write_color_photos(tmp_path / "photos", train=2, val=1)
    (photos / "train" / "red" / "red_1.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(DataError, match=r"red_1\.png"):
        train_tiny(photos, tmp_path / "run")
    save_picture(photos / "train" / "red" / "red_1.png")
    save_picture(photos / "val" / "violet" / "violet_0.png")
    with pytest.raises(DataError, match="val: has classes that train lacks: violet"):
        train_tiny(photos, tmp_path / "run")
