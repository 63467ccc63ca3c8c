import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from segnext.data.containers import shard_cache
from segnext.data.containers.shard_cache import (
    fetch_content,
    fetch_in_background,
    open_cache,
    parse_size,
    touch,
)
from segnext.errors import DataError, UsageError
from stored_shards import Storage, open_storage


@pytest.fixture
def storage() -> Iterator[Storage]:
    with open_storage("roads") as storage:
        yield storage


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_cache, "_WAIT_SECONDS", 0.0)


@pytest.mark.parametrize(
    ("text", "size"), [("50GB", 50 * 10**9), ("1.5 tb", 15 * 10**11), ("7M", 7 * 10**6), (800, 800)]
)
def test_sizes_are_written_with_units(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["much", "", "0GB", "-5GB", "5 XB", True, None, [5]])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"cache_size .* is no size; write it like 50GB"):
        parse_size(text)


def test_a_shard_is_fetched_once_whoever_asks(tmp_path: Path, storage: Storage) -> None:
    url = storage.put("a.tar", b"content")
    open_cache(tmp_path, 1000)
    target = tmp_path / "memory/a.content"
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: fetch_content(tmp_path, url, target), range(8)))
    assert {path.read_bytes() for path in found} == {b"content"}
    assert storage.fetched == ["a.tar"]
    left = {path.name for path in target.parent.iterdir()}
    assert left == {"a.content", ".a.content.lock"}


def test_what_was_longest_not_read_goes_first(tmp_path: Path, storage: Storage) -> None:
    open_cache(tmp_path, 250)
    paths = []
    for name in "abc":
        target = tmp_path / f"{name}.content"
        paths.append(fetch_content(tmp_path, storage.put(name, bytes(100)), target))
        os.utime(target, (1000, 1000 + ord(name)))
        if name == "b":
            touch(paths[0])
    assert [path.is_file() for path in paths] == [True, False, True]
    # Another size counts from the next fetch on.
    open_cache(tmp_path, 120)
    fetch_content(tmp_path, storage.put("d", bytes(100)), tmp_path / "d.content")
    assert [path.name for path in sorted(tmp_path.glob("*.content"))] == ["d.content"]


def test_what_is_not_of_the_cache_is_left_alone(tmp_path: Path, storage: Storage) -> None:
    (tmp_path / "thesis.pdf").write_bytes(bytes(1000))
    open_cache(tmp_path, 100)
    fetch_content(tmp_path, storage.put("a", bytes(100)), tmp_path / "a.content")
    assert (tmp_path / "thesis.pdf").is_file()


def test_what_a_killed_process_left_goes_after_an_hour(tmp_path: Path, storage: Storage) -> None:
    open_cache(tmp_path, 150)
    old, new = tmp_path / "old.content.part", tmp_path / "new.content.part"
    for path in (old, new):
        path.write_bytes(bytes(100))
    os.utime(old, (1, 1))
    fetch_content(tmp_path, storage.put("a", bytes(100)), tmp_path / "a.content")
    assert not old.exists()
    assert new.exists()


def test_a_missing_shard_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"memory://roads/9\.tar: no such shard; check the URL"):
        fetch_content(tmp_path, "memory://roads/9.tar", tmp_path / "9.content")
    assert not (tmp_path / "9.content").exists()


def test_a_shard_larger_than_the_cache_is_refused(tmp_path: Path, storage: Storage) -> None:
    open_cache(tmp_path, 10)
    with pytest.raises(DataError, match=r"its 11 bytes are more than cache_size, 10; raise it"):
        fetch_content(tmp_path, storage.put("a", bytes(11)), tmp_path / "a.content")


def test_a_shard_that_was_replaced_is_named(tmp_path: Path, storage: Storage) -> None:
    url = storage.put("a", bytes(11))
    with pytest.raises(DataError, match=r"has 11 bytes where 12 were expected; if it was replaced"):
        fetch_content(tmp_path, url, tmp_path / "a.content", expected=12)


def test_a_bad_moment_of_the_storage_is_tried_again(
    tmp_path: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = storage.put("a", b"content")
    kind, answers = type(storage.files), [b"con", TimeoutError("silent"), b"content"]

    def answer(_: object, _path: str, part: str) -> None:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        Path(part).write_bytes(found)

    monkeypatch.setattr(kind, "get_file", answer)
    target = fetch_content(tmp_path, url, tmp_path / "a.content")
    assert target.read_bytes() == b"content"
    answers += [b"con"] * 3
    with pytest.raises(DataError, match=r"tried 3 times \(EOFError: 3 of 7 bytes came\)"):
        fetch_content(tmp_path, url, tmp_path / "b.content")
    assert not list(tmp_path.glob("b.content*"))


def test_a_disk_that_refuses_is_named(tmp_path: Path, storage: Storage) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataError, match=r"memory://roads/a: cannot be kept in .*file"):
        fetch_content(tmp_path, storage.put("a", b"a"), tmp_path / "file/a.content")


def test_in_the_background_a_shard_comes_once_and_errors_are_dropped(tmp_path: Path) -> None:
    calls: list[int] = []
    go = threading.Event()

    def fetch() -> None:
        calls.append(1)
        go.wait(5)
        msg = "no connection"
        raise DataError(msg)

    for _ in range(3):
        fetch_in_background(tmp_path / "a", fetch)
    go.set()
    end = time.monotonic() + 5
    while tmp_path / "a" in shard_cache._fetching and time.monotonic() < end:
        time.sleep(0.01)
    assert calls == [1]
    assert tmp_path / "a" not in shard_cache._fetching


def test_without_fsspec_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(UsageError, match=r'pip install "segnext\[stream\]"'):
        fetch_content(tmp_path, "memory://roads/a", tmp_path / "a")


def test_unknown_storages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"nowhere://a: not fetched, SEGNEXT_OFFLINE=1 forbids"):
        fetch_content(tmp_path, "nowhere://a", tmp_path / "a")
    monkeypatch.delenv("SEGNEXT_OFFLINE")
    with pytest.raises(UsageError, match=r"nowhere://a: fsspec cannot open it \(Protocol not"):
        fetch_content(tmp_path, "nowhere://a", tmp_path / "a")
