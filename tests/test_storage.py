import os
import signal
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from segnext.errors import SegnextError
from segnext.storage import lock_file, replace_atomically, write_atomically


def test_writes_and_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.bin"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_a_refused_write_leaves_the_older_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.bin"
    write_atomically(path, b"older")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(SegnextError, match=r"cannot be written \(No space left on device\)"):
        write_atomically(path, b"newer")
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_written_in_parts_appears_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "new" / "large.bin"
    with replace_atomically(path) as temporary, temporary.open("wb") as file:
        file.write(b"one ")
        file.write(b"two")
        assert not path.exists()
    assert path.read_bytes() == b"one two"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_fails_its_check_leaves_the_older_one(tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    write_atomically(path, b"older")

    def write() -> None:
        with replace_atomically(path) as temporary:
            temporary.write_bytes(b"half")
            raise SegnextError("the check found a mistake")

    with pytest.raises(SegnextError, match=r"the check found a mistake"):
        write()
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


def test_one_thread_at_a_time_holds_a_lock(tmp_path: Path) -> None:
    inside, most = 0, 0

    def work(_: int) -> None:
        nonlocal inside, most
        with lock_file(tmp_path / "lock"):
            inside += 1
            most = max(most, inside)
            time.sleep(0.002)
            inside -= 1

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(16)))
    assert most == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are never forked there")
def test_a_process_forked_meanwhile_does_not_keep_the_lock(tmp_path: Path) -> None:
    with warnings.catch_warnings(), lock_file(tmp_path / "lock"):
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of any thread
        child = os.fork()
        if not child:  # pragma: no cover
            time.sleep(60)
            os._exit(0)
    try:
        with lock_file(tmp_path / "lock"):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
