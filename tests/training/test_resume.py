"""Nothing is lost: killed, stopped or diverged runs go on as if nothing had happened."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from conftest import SMALLEST
from runs import lines, run, without_times
from segnext.errors import TrainingError
from segnext.training import StoppedError, train
from segnext.training.checkpoint import read_about
from segnext.training.display import Display
from segnext.training.learner import Batch, Learner, StepResult
from segnext.training.run_folder import RunFolder
from segnext.training.trainer import Trainer

# Log lines, checkpoints and validations fall on different steps.
LONG: dict[str, Any] = {"max_steps": 24, "validate_every": 12, "log_every": 3}
posix = pytest.mark.skipif(sys.platform == "win32", reason="kills and gloo are for POSIX here")


def command(scenes: Path, out: Path, **options: Any) -> list[str]:
    """`python -m segnext train` for what `run` does."""
    words = ["-m", "segnext", "train", str(scenes), "--out", str(out), "--init", "none"]
    words += ["--crop", "64x64", "--batch-size", "2", "--device", "cpu", "--workers", "1"]
    settings = {
        f"model_options.{name}": list(v) if isinstance(v, tuple) else v
        for name, v in SMALLEST.items()
    }
    for name, value in (settings | LONG | options).items():
        words += ["--set", f"{name}={json.dumps(value)}"]
    return words


def start(words: list[str], *, processes: int = 1) -> subprocess.Popen[str]:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return subprocess.Popen(
        [sys.executable, *(launcher if processes > 1 else []), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "SEGNEXT_OFFLINE": "1"},
    )


def wait_for(process: subprocess.Popen[str], out: Path, file: str) -> None:
    deadline = time.monotonic() + 120
    while not ((out / file).exists() and (out / file).stat().st_size):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def assert_same_bits(ours: Path, theirs: Path) -> None:
    assert without_times(lines(ours)) == without_times(lines(theirs))
    for name in ("best.safetensors", "last.safetensors", "checkpoint.safetensors"):
        found, expected = load_file(ours / name), load_file(theirs / name)
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], expected[key]) for key in found), name


def stop_at(patch: pytest.MonkeyPatch, at: int) -> None:
    step = Trainer._step

    def stop(self: Trainer, *arguments: Any) -> None:
        step(self, *arguments)
        if self.progress.step == at:
            signal.raise_signal(signal.SIGTERM)

    patch.setattr(Trainer, "_step", stop)


@pytest.fixture(scope="module")
def straight(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed."""
    return run(scenes, tmp_path_factory.mktemp("straight") / "run", **LONG).directory


@posix
@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_bits(
    scenes: Path, straight: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    process = start(command(scenes, folder, checkpoint_every=0.2))
    wait_for(process, folder, "checkpoint.safetensors")
    process.kill()
    process.communicate()
    progress, _ = read_about(folder / "checkpoint.safetensors")
    assert 0 < progress.step < 24
    train(resume=folder, quiet=True)
    assert_same_bits(folder, straight)
    assert not list(folder.rglob(".*"))


@posix
@pytest.mark.slow
def test_a_run_killed_before_its_first_checkpoint_starts_anew(
    scenes: Path, straight: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    process = start(command(scenes, folder))
    wait_for(process, folder, "metrics.jsonl")
    process.kill()
    process.communicate()
    with pytest.raises(TrainingError, match="no checkpoint there; start the run anew with"):
        train(resume=folder, quiet=True)
    run(scenes, folder, **LONG)
    assert_same_bits(folder, straight)


def test_steps_before_a_stop_count_in_the_next_log_line(
    scenes: Path, straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at(monkeypatch, 13)  # neither logged nor validated
    with pytest.raises(StoppedError, match="stopped at step 13 of 24") as stopped:
        run(scenes, tmp_path / "run", **LONG)
    assert stopped.value.exit_code == 143
    monkeypatch.undo()
    train(resume=tmp_path / "run", quiet=True)
    assert_same_bits(tmp_path / "run", straight)


@posix
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the ranks in /proc")
def test_a_signal_to_one_of_two_processes_stops_both(
    scenes: Path, straight: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    process = start(command(scenes, folder), processes=2)
    wait_for(process, folder, "metrics.jsonl")
    os.kill(find_rank(process.pid, 1), signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    said = " ".join(said.split())
    progress, _ = read_about(folder / "checkpoint.safetensors")
    assert 0 < progress.step < 24
    # Rank 1 is the first to leave; torchrun itself always leaves with 1.
    assert f"stopped at step {progress.step} of 24, everything is saved" in said
    assert "exitcode : 143" in said
    assert process.returncode == 1
    # One process goes on with what two began.
    train(resume=folder, quiet=True)
    assert_same_losses(folder, straight)


@posix
@pytest.mark.slow
def test_two_processes_go_on_with_what_one_began(
    scenes: Path, straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    stop_at(monkeypatch, 5)
    with pytest.raises(StoppedError):
        run(scenes, folder, **LONG)
    words = ["-m", "segnext", "train", "--resume", str(folder), "--workers", "2"]
    process = start(words, processes=2)
    said, _ = process.communicate(timeout=180)
    assert process.returncode == 0, said
    assert_same_losses(folder, straight)


def assert_same_losses(ours: Path, theirs: Path) -> None:
    found, expected = (
        [(r["step"], r["loss"]) for r in lines(folder) if r["kind"] == "train"]
        for folder in (ours, theirs)
    )
    assert [step for step, _ in found] == [step for step, _ in expected]
    assert [loss for _, loss in found] == pytest.approx([loss for _, loss in expected], abs=1e-4)


def find_rank(launcher: int, rank: int) -> int:
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            if parent == launcher:
                environment = (status.parent / "environ").read_bytes().split(b"\0")
                if f"RANK={rank}".encode() in environment:
                    return int(status.parent.name)
        except OSError:  # gone meanwhile
            continue
    msg = f"no rank {rank} below {launcher}"
    raise LookupError(msg)


def test_nothing_of_a_diverged_step_is_saved(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn = Learner.learn

    def poison(self: Learner, step: int, batch: Batch) -> StepResult:
        images = batch.images * float("nan") if step == 3 else batch.images
        return learn(self, step, replace(batch, images=images))

    monkeypatch.setattr(Learner, "learn", poison)
    folder = tmp_path / "run"
    message = r"step 3: the loss is nan on scene_\d+.png, .*checkpoint.safetensors, at step 3;"
    with pytest.raises(TrainingError, match=message):
        run(scenes, folder, checkpoint_every=1e-6)
    about = json.loads((folder / "divergence.json").read_text())
    assert (about["step"], about["loss"], len(about["pictures"])) == (3, "nan", 2)
    saved = load_file(folder / "checkpoint.safetensors")
    assert all(value.isfinite().all() for value in saved.values())
    monkeypatch.undo()
    train(resume=folder, quiet=True)
    assert_same_bits(folder, run(scenes, tmp_path / "straight").directory)


def test_the_average_of_the_best_survives_a_kill_after_the_last_step(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"average_best": True, "keep_best": 2}
    said: list[str] = []
    monkeypatch.setattr(Display, "say", lambda self, text: said.append(text))
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_try_average", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(scenes, tmp_path / "run", **options)
    assert not any("mean of the 2 best weights" in text for text in said)
    resumed = train(resume=tmp_path / "run", quiet=True)
    assert any("mean of the 2 best weights" in text for text in said)
    assert resumed.metrics.miou == run(scenes, tmp_path / "straight", **options).metrics.miou


def _interrupt(_: Trainer) -> None:
    raise KeyboardInterrupt


def test_a_log_shorter_than_the_checkpoint_says_is_not_padded(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.append({"kind": "train", "step": 1})
    folder.cut_log(folder.log_length() + 100)  # the rest was never written: the power failed
    assert folder.read_log() == [{"kind": "train", "step": 1}]


def test_fragments_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    (tmp_path / ".checkpoint.safetensors.0a1b2c3d.tmp").write_bytes(b"half")
    (tmp_path / "samples" / ".step_000001.png.0a1b2c3d.tmp").write_bytes(b"half")
    (tmp_path / "samples" / "step_000001.png").write_bytes(b"whole")
    folder.remove_fragments()
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"step_000001.png"}
