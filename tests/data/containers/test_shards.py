import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from segnext.data.containers import shards
from segnext.data.containers.paths import file_size, is_file, list_folder, prefetch, read_bytes
from segnext.data.containers.shard_cache import open_cache
from segnext.data.containers.shards import ensure_index, index_path, read_index
from segnext.errors import DataError
from stored_shards import Storage, open_storage, tar_bytes

MEMBERS = {"a/1.jpg": b"photo", "a/1.png": b"mask"}


@pytest.fixture
def storage() -> Iterator[Storage]:
    with open_storage("roads") as storage:
        yield storage


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    open_cache(tmp_path / "cache", 1_000_000)
    return tmp_path / "cache"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("s3://bucket/roads/train-0.tar", "s3/bucket/roads/train-0.tar.shard"),
        ("https://user:secret@host:80/a.tar", "https/host%3A80/a.tar.shard"),
        ("https://host/a.tar?key=b/c", "https/host/a.tar/key=b%2Fc.shard"),
    ],
)
def test_an_index_lies_where_its_url_says(tmp_path: Path, url: str, path: str) -> None:
    assert index_path(tmp_path, url) == tmp_path / path


def test_no_index_lies_outside_the_cache(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must not go up with \.\."):
        index_path(tmp_path, "s3://bucket/../../a.tar")
    with pytest.raises(DataError, match=r"s3://: names no shard"):
        index_path(tmp_path, "s3://")


def test_a_shard_reads_like_a_folder_and_is_fetched_once(storage: Storage, cache: Path) -> None:
    url = storage.put("a.tar", tar_bytes(MEMBERS))
    path = ensure_index(cache, url)
    assert ensure_index(cache, url) == path
    assert storage.fetched == ["a.tar"]
    assert list_folder(path / "a") == [path / "a/1.jpg", path / "a/1.png"]
    assert is_file(path / "a/1.png")
    assert file_size(path / "a/1.png") == 4
    assert read_bytes(path / "a/1.jpg") == b"photo"
    assert storage.fetched == ["a.tar"]


def test_what_was_thrown_away_comes_again(storage: Storage, cache: Path) -> None:
    path = ensure_index(cache, storage.put("a.tar", tar_bytes(MEMBERS)))
    for _ in range(2):
        path.with_suffix(".content").unlink()
        assert read_bytes(path / "a/1.jpg") == b"photo"
    assert storage.fetched == ["a.tar"] * 3


def test_ahead_of_its_time_a_shard_comes_in_the_background(
    storage: Storage, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ensure_index(cache, storage.put("a.tar", tar_bytes(MEMBERS)))
    monkeypatch.setattr(shards, "fetch_in_background", lambda _target, fetch: fetch())
    prefetch(path / "a/1.jpg")
    assert storage.fetched == ["a.tar"]
    path.with_suffix(".content").unlink()
    prefetch(path / "a/1.jpg")
    assert storage.fetched == ["a.tar"] * 2


def test_a_shard_that_vanished_or_changed_is_named(storage: Storage, cache: Path) -> None:
    path = ensure_index(cache, storage.put("a.tar", tar_bytes(MEMBERS)))
    path.with_suffix(".content").unlink()
    storage.put("a.tar", tar_bytes({**MEMBERS, "b": bytes(20_000)}))
    with pytest.raises(DataError, match=r"a/1\.jpg: memory://roads/a\.tar: has [\d,]+ bytes where"):
        read_bytes(path / "a/1.jpg")
    storage.remove("a.tar")
    with pytest.raises(DataError, match=r"a/1\.jpg: memory://roads/a\.tar: no such shard"):
        read_bytes(path / "a/1.jpg")


def test_a_cache_that_keeps_nothing_ends_with_one_line(
    storage: Storage, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = storage.put("a.tar", tar_bytes(MEMBERS))
    path = ensure_index(cache, url)
    path.with_suffix(".content").unlink()
    monkeypatch.setattr(shards, "fetch_content", lambda *_, **__: None)
    for use in (lambda: read_bytes(path / "a/1.jpg"), lambda: ensure_index(cache, url)):
        with pytest.raises(DataError, match=r"a\.tar: is thrown away as fast as it is fetched; ra"):
            use()
        path.unlink(missing_ok=True)


def test_a_truncated_shard_leaves_no_index(storage: Storage, cache: Path) -> None:
    whole = tar_bytes(MEMBERS)
    url = storage.put("a.tar", whole[:1500])
    with pytest.raises(DataError, match=r"memory://roads/a\.tar: is cut off"):
        ensure_index(cache, url)
    storage.put("a.tar", whole)
    assert read_bytes(ensure_index(cache, url) / "a/1.png") == b"mask"


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b'{"version": 2, "url": "a", "size": 1, "members": []}',
        b'{"version": 1, "url": "a", "size": 1, "members": [["a", -5, 2]]}',
        b'{"version": 1, "url": "a", "size": 1, "members": [["a", 5]]}',
    ],
)
def test_a_damaged_index_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.tar.shard"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"is no index of a shard, or damaged; remove it"):
        read_index(path)
    with pytest.raises(DataError, match=r"a\.tar\.shard: is no index"):
        read_bytes(path / "a")


def test_names_in_any_encoding_survive_the_index(storage: Storage, cache: Path) -> None:
    path = ensure_index(cache, storage.put("a.tar", tar_bytes({"\udcff.jpg": b"photo"})))
    assert json.loads(path.read_text())["size"] == 10240
    assert read_bytes(path / "\udcff.jpg") == b"photo"
