import json
from pathlib import Path

import fsspec
import pytest

from segnext.errors import UsageError
from segnext.predict.bulk.manifest import Manifest
from segnext.predict.bulk.shard import Shard, digest_name
from segnext.predict.bulk.storing import LocalStore, RemoteStore, Store
from segnext.predict.bulk.worker import Outcome

MADE = {"weights": "w", "protocol": "p", "outputs": {}}
NAMES = [f"{number}.jpg" for number in range(40)]


@pytest.fixture(params=["local", "remote"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "local":
        yield LocalStore(str(tmp_path / "out"))
    else:
        yield RemoteStore("memory://out")
        storage = fsspec.filesystem("memory")
        if storage.exists("/out"):
            storage.rm("/out", recursive=True)


def outcome(name: str, error: str = "") -> Outcome:
    return Outcome(name, f"/photos/{name}", error, (2, 3), {"sky": 6})


def lines_of(store: Store) -> list[dict]:
    lines = [json.loads(line) for file in store.manifests() for line in store.read_lines(file)]
    return [line for line in lines if "made" not in line]


def test_what_is_finished_is_claimed_no_more_but_failures_are(store: Store) -> None:
    with Manifest(store, Shard(), MADE) as manifest:
        assert all(manifest.claim(name) for name in ("a", "b", "c"))
        assert not manifest.claim("a")  # listed twice
        manifest.add(outcome("a"))
        manifest.add(outcome("b", error="broken"))
    assert lines_of(store) == [
        {"name": "a", "source": "/photos/a", "size": [2, 3], "areas": {"sky": 6}},
        {"name": "b", "source": "/photos/b", "error": "broken"},
    ]
    with Manifest(store, Shard(), MADE) as again:
        assert [again.claim(name) for name in ("a", "b", "c")] == [False, True, True]
        again.add(outcome("c"))
    assert [line["name"] for line in lines_of(store)] == ["a", "b", "c"]


def test_lines_are_written_in_batches_and_by_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(store), "batch_lines", 3)
    manifest = Manifest(store, Shard(), MADE)
    for count, name in enumerate(NAMES[:7], start=1):
        manifest.add(outcome(name))
        assert len(lines_of(store)) == count // 3 * 3
    monkeypatch.setattr(type(store), "batch_seconds", 0)
    manifest.add(outcome("late"))
    assert len(lines_of(store)) == 8


def test_an_error_in_between_keeps_what_is_done(store: Store) -> None:
    def interrupt() -> None:
        with Manifest(store, Shard(), MADE) as manifest:
            manifest.add(outcome("a"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert len(lines_of(store)) == 1


def test_parts_of_another_division_count(store: Store) -> None:
    for index in range(2):
        shard = Shard(index, 2)
        with Manifest(store, shard, MADE) as manifest:
            for name in NAMES:
                if shard.owns(digest_name(name)):
                    manifest.add(outcome(name))
    assert {file.split(".")[0] for file in store.manifests()} == {
        "shard-00000-of-00002", "shard-00001-of-00002",
    }  # fmt: skip
    for shard in (Shard(0, 2), Shard(2, 3), Shard()):
        manifest = Manifest(store, shard, MADE)
        mine = [name for name in NAMES if shard.owns(digest_name(name))]
        assert mine
        assert not any(manifest.claim(name) for name in mine)


def test_parts_of_other_weights_are_refused(store: Store) -> None:
    with Manifest(store, Shard(0, 2), MADE) as manifest:
        manifest.add(outcome("a"))
    for shard in (Shard(0, 2), Shard(1, 2), Shard()):
        with pytest.raises(
            UsageError,
            match=r"out: holds outputs of other weights, says shard-00000-of-00002\.\S*jsonl: w, "
            r"not v+\.\.\.; choose another --out",
        ):
            Manifest(store, shard, {**MADE, "weights": "v" * 64})


def test_a_line_cut_off_anywhere_was_never_written(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    with Manifest(store, Shard(), MADE) as manifest:
        manifest.add(outcome("a"))
        manifest.add(outcome("b"))
    file = tmp_path / "manifest" / "shard-00000-of-00001.jsonl"
    whole = file.read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    for kept in range(len(last) - 1):
        file.write_bytes(whole[: len(whole) - len(last) + kept])
        with Manifest(store, Shard(), MADE) as manifest:
            assert not manifest.claim("a")
            assert manifest.claim("b"), last[:kept]
            manifest.add(outcome("b"))
            manifest.add(outcome("c"))
        reopened = Manifest(store, Shard(), MADE)
        assert not any(reopened.claim(name) for name in ("a", "b", "c"))


def test_a_torn_first_line_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "manifest").mkdir()
    (tmp_path / "manifest" / "shard-00000-of-00001.jsonl").write_bytes(b'{"made": {"wei')
    store = LocalStore(str(tmp_path))
    with Manifest(store, Shard(), MADE) as manifest:
        manifest.add(outcome("a"))
    with pytest.raises(UsageError, match="other weights"):
        Manifest(store, Shard(), {**MADE, "weights": "v"})
