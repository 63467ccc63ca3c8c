import json
import shutil
import subprocess
from pathlib import Path

import torch

from segnext.data import open_folder
from segnext.training.environment import (
    describe_environment,
    find_git_state,
    hash_files,
    read_sessions,
    record_session,
)


def test_sessions_of_a_run_are_kept_in_their_order(scenes: Path, tmp_path: Path) -> None:
    data, path = open_folder(scenes), tmp_path / "environment.json"
    for step, processes in ((0, 1), (0, 1), (40, 2)):  # a second start replaces the first
        record_session(path, data, step=step, processes=processes)
    first, second = read_sessions(path)
    assert [(s["step"], s["processes"]) for s in (first, second)] == [(0, 1), (40, 2)]
    assert first["versions"]["torch"] == torch.__version__
    assert first["data"] == second["data"]
    assert first["data"]["pictures"] == 11


def test_what_cannot_be_read_is_no_session(tmp_path: Path) -> None:
    path = tmp_path / "environment.json"
    assert read_sessions(path) == []
    for text in ("{", '{"step": 0}'):
        path.write_text(text)
        assert read_sessions(path) == []


def test_the_hardware_is_named() -> None:
    about = describe_environment()
    json.dumps(about)
    assert about["hardware"]["cores"] >= 1
    assert about["hardware"]["memory_bytes"] > 10**8
    assert about["hardware"]["cpu"]


def test_the_state_of_the_code_is_known(tmp_path: Path) -> None:
    assert find_git_state(tmp_path / "nowhere") is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "start"]):
        subprocess.run([*git, *words], check=True)
    state = find_git_state(tmp_path)
    assert state is not None
    assert (len(state["commit"]), state["changed"]) == (40, False)
    (tmp_path / "new.py").touch()
    assert find_git_state(tmp_path) == {**state, "changed": True}


def test_the_hash_of_data_follows_their_files_and_not_their_place(
    scenes: Path, tmp_path: Path
) -> None:
    moved = shutil.copytree(scenes, tmp_path / "moved")
    before = hash_files(open_folder(scenes))
    assert hash_files(open_folder(moved)) == before
    for kind in ("images", "masks"):
        (moved / "train" / kind / "scene_00000.png").unlink()
    assert hash_files(open_folder(moved)) != before
