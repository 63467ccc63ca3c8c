import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from segnext.data.preparation import Task, run_tasks
from segnext.errors import DataError


def make(text: str) -> bytes:
    if text == "bad":
        msg = "bad.mat: broken"
        raise DataError(msg)
    return text.encode()


def tasks(*texts: str) -> list[Task]:
    return [Task(f"masks/{text}.png", make, (text,)) for text in texts]


@pytest.mark.parametrize("workers", [0, 2])
def test_files_are_made_once(tmp_path: Path, workers: int) -> None:
    steps: list[tuple[int, int]] = []
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks/b.png").write_bytes(b"was there")
    made = run_tasks(
        tasks("a", "b", "c"), tmp_path, workers=workers, on_done=lambda *n: steps.append(n)
    )
    assert made == 2
    assert (tmp_path / "masks/b.png").read_bytes() == b"was there"
    assert (tmp_path / "masks/c.png").read_bytes() == b"c"
    assert steps[0] == (1, 3)
    assert steps[-1] == (3, 3)
    assert run_tasks(tasks("a", "b", "c"), tmp_path, workers=workers) == 0


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_stops_and_keeps_what_is_done(tmp_path: Path, workers: int) -> None:
    with pytest.raises(DataError, match=r"^bad\.mat: broken$"):
        run_tasks(tasks("a", "bad", "c"), tmp_path, workers=workers)
    assert not (tmp_path / "masks/bad.png").exists()
    run_tasks(tasks("a", "c"), tmp_path, workers=0)
    assert {path.name for path in tmp_path.rglob("*.png")} == {"a.png", "c.png"}


def make_parts(text: str) -> Iterator[tuple[str, bytes]]:
    yield f"masks/{text}_2.png", b"2"
    if text == "bad":
        msg = "bad.mat: broken"
        raise DataError(msg)
    yield f"masks/{text}_1.png", b"1"


@pytest.mark.parametrize("workers", [0, 2])
def test_one_task_makes_several_files(tmp_path: Path, workers: int) -> None:
    parts = [Task(f"masks/{text}_1.png", make_parts, (text,)) for text in ("a", "b")]
    assert run_tasks(parts, tmp_path, workers=workers) == 2
    assert {path.name for path in tmp_path.rglob("*.png")} == {
        *("a_1.png", "a_2.png", "b_1.png", "b_2.png"),
    }
    (tmp_path / "masks/b_1.png").unlink()
    assert run_tasks(parts, tmp_path, workers=workers) == 1
    with pytest.raises(DataError, match=r"^bad\.mat: broken$"):
        run_tasks([Task("masks/bad_1.png", make_parts, ("bad",))], tmp_path, workers=workers)
    assert not (tmp_path / "masks/bad_1.png").exists()


def end_itself(_text: str) -> bytes:
    os.kill(os.getpid(), signal.SIGTERM)
    return b""


def test_a_process_ended_by_the_system_is_named(tmp_path: Path) -> None:
    both = [Task(f"{text}.png", end_itself, (text,)) for text in ("a", "b")]
    message = r"one of 2 processes was ended by the system, .* fewer --workers, and it goes on$"
    with pytest.raises(DataError, match=message):
        run_tasks(both, tmp_path, workers=2)


STARTER = """
import multiprocessing, time
from segnext.data.preparation import end_with_parent
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with context.Pool(1, end_with_parent) as pool:
        print(pool.apply(int, "7"), flush=True)
        pool.apply(time.sleep, (600,))
"""


def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    script = tmp_path / "starter.py"
    script.write_text(STARTER)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == b"7\n"
        starter.kill()
        # The end of the pipe: its other end is open as long as a process of the pool lives.
        assert starter.communicate(timeout=20)[0] == b""
