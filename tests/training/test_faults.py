"""Data that cannot be read, workers that die, numbers that are not finite: skipped or said."""

import errno
import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from torch.utils.data import DataLoader

from runs import lines, run, without_times
from segnext.data.folder import FolderDataset
from segnext.data.loader import Sample, SampleStream
from segnext.data.watching import WorkerDiedError
from segnext.errors import DataError, TrainingError
from segnext.models import SegmentationModel
from segnext.training import train
from segnext.training.checkpoint import read_about
from segnext.training.display import Display
from segnext.training.gradient_step import GradientStep
from segnext.training.learner import Batch, Learner, StepResult
from segnext.training.run_files import RunFiles
from segnext.training.trainer import Trainer


@pytest.fixture
def spoilt(scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data set of which one picture and one mask break once the run has started."""
    copy = shutil.copytree(scenes, tmp_path / "scenes")
    fit = Trainer.fit

    def spoil(self: Trainer) -> None:
        pictures = sorted((copy / "train" / "images").iterdir())
        pictures[0].write_bytes(pictures[0].read_bytes()[:100])
        (copy / "train" / "masks" / pictures[1].name).write_bytes(b"")
        fit(self)

    monkeypatch.setattr(Trainer, "fit", spoil)
    return copy


@pytest.mark.parametrize("num_workers", [0, 1])
def test_unreadable_samples_are_skipped_and_counted(
    spoilt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_workers: int
) -> None:
    told = listen(monkeypatch)
    folder = tmp_path / "run"
    run(spoilt, folder, max_steps=3, on_bad_sample="skip", num_workers=num_workers)
    skipped = [line for line in lines(folder) if line["kind"] == "skipped"]
    said = [problem for line in skipped for problem in line["samples"]]
    # An epoch of six pictures shows each of them once.
    assert len(said) == 2
    assert {re.sub(r".*/train/(images|masks)/\w+\.png: ", r"\1: ", text) for text in said} == {
        "images: broken or truncated picture; copy it again or remove it",
        "masks: the file is empty; copy the picture again or remove it",
    }
    assert read_about(folder / "checkpoint.safetensors")[0].skipped_samples == 2
    assert f"2 samples could not be read and were skipped; {folder / 'metrics.jsonl'} names" in (
        " ".join(told)
    )


def test_an_unreadable_sample_stops_the_run_which_can_skip_it(
    scenes: Path, spoilt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(
        DataError, match=r"step \d: .*/train/\w+/\w+.png: .* all steps before are saved"
    ):
        run(spoilt, folder, max_steps=3, num_workers=1)
    # The mask is put right, as the message says; the picture is skipped.
    monkeypatch.undo()
    mask = Path("train") / "masks" / "scene_00001.png"
    shutil.copy(scenes / mask, spoilt / mask)
    train(resume=folder, quiet=True, on_bad_sample="skip")
    trained = [line["step"] for line in lines(folder) if line["kind"] == "train"]
    assert trained == [1, 2, 3]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="gloo is for POSIX here")
def test_two_processes_skip_what_one_of_them_cannot_read(
    scenes: Path, spoilt: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(DataError):
        run(spoilt, folder, max_steps=3)
    mask = Path("train") / "masks" / "scene_00001.png"
    shutil.copy(scenes / mask, spoilt / mask)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    words = ["-m", "segnext", "train", "--resume", str(folder), "--set", "on_bad_sample=skip"]
    done = subprocess.run(
        [sys.executable, *launcher, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = [line["samples"] for line in lines(folder) if line["kind"] == "skipped"]
    assert len(said) == 1
    assert "scene_00000.png: broken or truncated picture" in said[0][0]
    assert [line["step"] for line in lines(folder) if line["kind"] == "train"] == [1, 2, 3]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills are for POSIX here")
def test_a_dead_worker_is_named_and_replaced(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As other code of the process may have done: torch then raises wherever a worker dies.
    next(iter(DataLoader(range(2), num_workers=1)))  # type: ignore[arg-type]
    said = listen(monkeypatch)
    killed: list[int] = []
    learn = Learner.learn

    def kill(self: Learner, step: int, batch: Batch) -> StepResult:
        if step == 1:
            killed.extend(child.pid or 0 for child in multiprocessing.active_children())
            for number in killed:
                os.kill(number, signal.SIGKILL)
        return learn(self, step, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "learn", kill)
        run(scenes, tmp_path / "run", max_steps=8, num_workers=1)
    run(scenes, tmp_path / "straight", max_steps=8)
    assert without_times(lines(tmp_path / "run")) == without_times(lines(tmp_path / "straight"))
    assert len(killed) == 1
    assert any(
        re.match(
            rf"step \d: (the reading worker with process id {killed[0]}|a reading worker) died",
            text,
        )
        for text in said
    )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills are for POSIX here")
def test_a_hung_worker_is_named_and_replaced(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = listen(monkeypatch)
    get = SampleStream.__getitem__

    def hang(self: SampleStream, number: int) -> Sample:
        hung = tmp_path / "hung"
        if number == 9 and multiprocessing.parent_process() and not hung.exists():
            hung.touch()
            signal.pause()
        return get(self, number)

    with monkeypatch.context() as patch:
        patch.setattr(SampleStream, "__getitem__", hang)
        run(scenes, tmp_path / "run", max_steps=8, num_workers=1, worker_slow=0.5, worker_hung="6s")
    run(scenes, tmp_path / "straight", max_steps=8)
    assert without_times(lines(tmp_path / "run")) == without_times(lines(tmp_path / "straight"))
    slow, *_, hung = [text for text in said if "has been at sample 9, " in text]
    assert re.match(r"step 4: no batch for .*/train/images/scene_\d+\.png, for ", slow)
    assert hung.endswith(
        "which counts as hung (worker_hung): killed; the workers are started again"
    )


def test_a_picture_that_validation_waits_for_is_named(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, read, named = listen(monkeypatch), FolderDataset.__getitem__, threading.Event()
    late = sorted((scenes / "val" / "images").iterdir())[1]

    def hear(_display: Display, text: str) -> None:
        said.append(text)
        named.set()

    def read_late(self: FolderDataset, index: int) -> Any:
        if self.path(index) == late and threading.current_thread() is not threading.main_thread():
            assert named.wait(60)
        return read(self, index)

    with monkeypatch.context() as patch:
        patch.setattr(FolderDataset, "__getitem__", read_late)
        patch.setattr(Display, "say_own", hear)
        run(scenes, tmp_path / "run", max_steps=2, worker_slow=0.05)
    run(scenes, tmp_path / "straight", max_steps=2)
    assert without_times(lines(tmp_path / "run")) == without_times(lines(tmp_path / "straight"))
    (told,) = {text.partition(" for 0.")[0] for text in said if "validation has waited" in text}
    assert told == f"step 2: validation has waited for {late}"


def test_what_concerns_one_process_is_told_by_it(capsys: pytest.CaptureFixture[str]) -> None:
    for is_main in (True, False):
        display = Display(is_main=is_main)
        display.say(f"all, by main: {is_main}")
        display.say_own(f"own, by main: {is_main}")
    Display(quiet=True, is_main=False).say_own("nothing")
    assert capsys.readouterr().err.splitlines() == [
        "all, by main: True",
        "own, by main: True",
        "own, by main: False",
    ]


def test_workers_that_die_again_and_again_end_the_run(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = listen(monkeypatch)

    def die(self: Learner, start_step: int, tell: Callable[[str], None]) -> Iterator[Batch]:
        msg = "the reading worker with process id 7 died"
        raise WorkerDiedError(msg)
        yield

    monkeypatch.setattr(Learner, "batches", die)
    with pytest.raises(TrainingError, match="4 in a row at this step; there is no checkpoint yet"):
        run(scenes, tmp_path / "run")
    assert sum("the workers are started again" in text for text in said) == 3


def poison(patch: pytest.MonkeyPatch, steps: Sequence[int]) -> None:
    """Give the network pictures without numbers."""
    batches = Learner.batches

    def poisoned(self: Learner, start_step: int, tell: Callable[[str], None]) -> Iterator[Batch]:
        for step, batch in enumerate(batches(self, start_step, tell), start_step):
            factor = float("nan") if step in steps else 1.0
            yield replace(batch, images=batch.images * factor)

    patch.setattr(Learner, "batches", poisoned)


def test_steps_that_are_not_finite_are_skipped(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    poison(monkeypatch, [1])
    run(scenes, folder, on_nonfinite="skip")
    skipped = [line for line in lines(folder) if line["kind"] == "skipped"]
    assert [(line["step"], line["loss"], len(line["pictures"])) for line in skipped] == [
        (1, "nan", 2)
    ]
    assert [line["step"] for line in lines(folder) if line["kind"] == "train"] == [1, 3, 4]
    state = load_file(folder / "checkpoint.safetensors")
    assert all(value.isfinite().all() for value in state.values())
    # What the network got lies beside the names.
    assert json.loads((folder / "divergence.json").read_text())["step"] == 1
    batch = load_file(folder / "divergence_0.safetensors")
    assert batch["images"].isnan().all()
    assert batch["masks"].shape == (2, 64, 64)


def test_too_many_skipped_steps_in_a_row_stop_the_run(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, [0, 2, 3])
    with pytest.raises(TrainingError, match=r"step 3: the loss is nan on .* after 1 skipped ones;"):
        run(scenes, tmp_path / "run", on_nonfinite="skip", skip_limit=1)


def test_gradients_that_are_not_finite_stop_a_run(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = GradientStep._clip
    monkeypatch.setattr(GradientStep, "_clip", lambda self: clip(self) * float("inf"))
    with pytest.raises(TrainingError, match="step 0: the norm of the gradients is inf on scene_"):
        run(scenes, tmp_path / "run")
    about = json.loads((tmp_path / "run" / "divergence.json").read_text())
    assert isinstance(about["loss"], float)
    assert about["gradient_norm"] == "inf"


def test_a_full_disk_is_one_line(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, *_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    folder = RunFiles(tmp_path / "run")
    monkeypatch.setattr(Path, "open", refuse)
    message = r"metrics.jsonl: cannot be written \(No space left on device\); make room and go on"
    with pytest.raises(TrainingError, match=message):
        folder.append({"step": 1})


@pytest.mark.parametrize(("answer", "steps"), [("warn", 4), ("stop", 2)])
def test_a_gap_to_the_training_pictures_is_said_or_ends_the_run(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, steps: int
) -> None:
    said = listen(monkeypatch)
    score = Trainer._score_training

    def better(self: Trainer, model: SegmentationModel) -> float | None:
        miou = score(self, model)
        assert miou is not None
        return miou + 0.9

    monkeypatch.setattr(Trainer, "_score_training", better)
    folder = tmp_path / "run"
    done = run(scenes, folder, on_overfit=answer, overfit_gap=0.5)
    assert done.steps == steps
    assert any(text.startswith("step 2: overfitting, mIoU") for text in said)
    assert all("train_miou" in line for line in lines(folder) if line["kind"] == "val")
    assert train(resume=folder, quiet=True).steps == steps


def listen(patch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    for name in ("say", "say_own"):
        patch.setattr(Display, name, lambda self, text: said.append(text))
    return said
