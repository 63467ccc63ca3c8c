import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from conftest import SMALLEST
from segnext.errors import SegnextError, TrainingError
from segnext.models import SegNeXt, SegNeXtConfig
from segnext.training.checkpoint import (
    Progress,
    RunProgress,
    read_about,
    read_stand,
    restore_checkpoint,
    write_checkpoint,
)
from segnext.training.optimizer import build_optimizer

SCALER = torch.amp.GradScaler("cpu", enabled=False)


def build() -> tuple[SegNeXt, SegNeXt, torch.optim.AdamW]:
    model = SegNeXt(SegNeXtConfig(num_classes=3, **SMALLEST))
    average = SegNeXt(SegNeXtConfig(num_classes=3, **SMALLEST))
    optimizer = build_optimizer(model, learning_rate=1e-3, decoder_lr_factor=1, weight_decay=0.01)
    return model, average, optimizer


def step(model: SegNeXt, optimizer: torch.optim.AdamW, seed: int) -> None:
    torch.manual_seed(seed)
    optimizer.zero_grad()
    model(torch.randn(2, 3, 64, 64)).square().mean().backward()
    optimizer.step()


def write(path: Path, parts: tuple[SegNeXt, SegNeXt, torch.optim.AdamW]) -> None:
    write_checkpoint(
        path,
        model=parts[0],
        average=parts[1],
        optimizer=parts[2],
        scaler=SCALER,
        progress=Progress(step=7, best_miou=0.25),
        recipe={"seed": 1},
    )


def test_everything_comes_back(tmp_path: Path) -> None:
    path, parts = tmp_path / "checkpoint.safetensors", build()
    step(parts[0], parts[2], seed=1)
    write(path, parts)
    progress, recipe = read_about(path)
    assert progress == Progress(step=7, best_miou=0.25)
    assert recipe == {"seed": 1}
    others = build()
    restore_checkpoint(path, model=others[0], average=others[1], optimizer=others[2], scaler=SCALER)
    step(parts[0], parts[2], seed=2)
    step(others[0], others[2], seed=2)
    for ours, theirs in zip(parts[0].parameters(), others[0].parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_failed_write_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, parts = tmp_path / "checkpoint.safetensors", build()
    write(path, parts)
    before = path.read_bytes()

    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(SegnextError, match="No space left on device"):
        write(path, parts)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_other_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(TrainingError, match="no checkpoint there"):
        read_about(path)
    path.write_bytes(b"not safetensors")
    with pytest.raises(TrainingError, match="not a checkpoint of a segnext run, or damaged"):
        read_about(path)


def test_another_kind_of_run_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    write(path, build())
    with pytest.raises(TrainingError, match="is of another kind of run; resume it with the comm"):
        read_stand(path, RunProgress)


def test_another_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    write(path, build())
    model = SegNeXt(SegNeXtConfig(num_classes=5, **SMALLEST))
    optimizer = build_optimizer(model, learning_rate=1, decoder_lr_factor=1, weight_decay=0)
    with pytest.raises(TrainingError, match="was written for another model"):
        restore_checkpoint(path, model=model, average=model, optimizer=optimizer, scaler=SCALER)


def test_the_scale_of_half_precision_comes_back(tmp_path: Path) -> None:
    path, (model, average, optimizer) = tmp_path / "checkpoint.safetensors", build()
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    scaler.scale(torch.ones(1))  # the scale is made at its first use
    write_checkpoint(
        path,
        model=model,
        average=average,
        optimizer=optimizer,
        scaler=scaler,
        progress=Progress(),
        recipe={},
    )
    other = torch.amp.GradScaler("cpu")
    restore_checkpoint(path, model=model, average=average, optimizer=optimizer, scaler=other)
    assert other.get_scale() == 1024.0


@pytest.mark.parametrize("progress", [{"step": "7"}, {"elapsed_s": None}, {"kept": 3}])
def test_progress_of_other_types(tmp_path: Path, progress: dict[str, object]) -> None:
    path = tmp_path / "checkpoint.safetensors"
    about = {"progress": progress, "recipe": {}}
    save_file({"weight": torch.zeros(1)}, path, {"segnext_run": json.dumps(about)})
    with pytest.raises(TrainingError, match="not a checkpoint of a segnext run, or damaged"):
        read_about(path)
