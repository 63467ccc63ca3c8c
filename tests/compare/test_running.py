import json
from pathlib import Path

import pytest

from comparisons import build_config, make_run
from segnext.compare.config import CompareConfig, System
from segnext.compare.running import (
    ASKED,
    RESULT,
    SystemRun,
    find_runs,
    run_folder,
    run_systems,
    tell,
)
from segnext.errors import TrainingError, UsageError
from segnext.training.run_files import CHECKPOINT


class Trainer:
    def __init__(self) -> None:
        self.trained: list[tuple[str, int]] = []

    def train(self, folder: Path, config: CompareConfig, system: System, seed: int) -> SystemRun:
        self.trained.append((system.name, seed))
        assert json.loads((folder / ASKED).read_text()) == tell(system, config)
        return make_run(config, system.name, seed, 40.0 + seed)


def test_every_system_is_trained_with_every_seed_and_kept(tmp_path: Path) -> None:
    config, trainer = build_config(), Trainer()
    told: list[tuple[str, int, bool]] = []
    runs = run_systems(config, tmp_path, trainer, on_run=lambda *args: told.append(args))
    expected = [("first", 0), ("second", 0), ("first", 1), ("second", 1)]
    assert trainer.trained == expected
    assert told == [(*pair, False) for pair in expected]
    told.clear()
    again = run_systems(config, tmp_path, trainer, on_run=lambda *args: told.append(args))
    assert again == runs
    assert trainer.trained == expected
    assert all(kept for *_, kept in told)
    assert sorted(run.system for run in find_runs(config, tmp_path)) == sorted(
        run.system for run in runs
    )


def test_a_further_seed_trains_that_alone(tmp_path: Path) -> None:
    trainer = Trainer()
    run_systems(build_config(), tmp_path, trainer)
    run_systems(build_config(seeds=[0, 1, 2]), tmp_path, trainer)
    assert trainer.trained[4:] == [("first", 2), ("second", 2)]


def test_runs_of_another_recipe_are_not_put_beside(tmp_path: Path) -> None:
    run_systems(build_config(), tmp_path, Trainer())
    changed = build_config(options={"max_steps": 9})
    with pytest.raises(TrainingError, match="was trained with max_steps None, not 9; remove it"):
        run_systems(changed, tmp_path, Trainer())
    with pytest.raises(TrainingError, match="was trained with data None, not"):
        find_runs(build_config(data=tmp_path), tmp_path)


def test_a_damaged_result_is_named(tmp_path: Path) -> None:
    config = build_config()
    run_systems(config, tmp_path, Trainer())
    path = run_folder(tmp_path, config.systems[0], 0) / RESULT
    path.write_text("{")
    with pytest.raises(TrainingError, match=r"result\.json: damaged"):
        find_runs(config, tmp_path)


def test_an_interrupted_run_of_another_recipe_does_not_go_on(tmp_path: Path) -> None:
    class Interrupted(Trainer):
        def train(
            self, folder: Path, config: CompareConfig, system: System, seed: int
        ) -> SystemRun:
            super().train(folder, config, system, seed)
            (folder / CHECKPOINT).touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_systems(build_config(), tmp_path, Interrupted())
    changed, trainer = build_config(options={"max_steps": 9}), Trainer()
    with pytest.raises(TrainingError, match="was trained with max_steps None, not 9; remove it"):
        run_systems(changed, tmp_path, trainer)
    assert trainer.trained == []
    assert len(run_systems(build_config(), tmp_path, trainer)) == 4


def test_what_never_began_is_told_anew(tmp_path: Path) -> None:
    class Refusing(Trainer):
        def train(
            self, folder: Path, config: CompareConfig, system: System, seed: int
        ) -> SystemRun:
            raise UsageError("no such option")

    with pytest.raises(UsageError):
        run_systems(build_config(), tmp_path, Refusing())
    assert len(run_systems(build_config(options={"max_steps": 9}), tmp_path, Trainer())) == 4


def test_folders_have_plain_names(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, System(name="(c) and stage 1"), 3)
    assert folder == tmp_path / "runs/c_and_stage_1/seed_3"
    assert run_folder(tmp_path, System(name="../x"), 0) == tmp_path / "runs/x/seed_0"
    assert System(name="(?)").folder == "system"
