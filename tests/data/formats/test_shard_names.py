from pathlib import Path

import pytest

from segnext.data.formats.shard_names import (
    expand_braces,
    expand_option,
    find_local_shards,
    name_shards,
)
from segnext.errors import UsageError


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a.tar", ["a.tar"]),
        ("a-{08..11}.tar", ["a-08.tar", "a-09.tar", "a-10.tar", "a-11.tar"]),
        ("{9..10}", ["9", "10"]),
        ("{0..1}", ["0", "1"]),
        ("{day,night}/{0..1}.tar", ["day/0.tar", "day/1.tar", "night/0.tar", "night/1.tar"]),
        ("a{,-b}.tar", ["a.tar", "a-b.tar"]),
    ],
)
def test_braces_stand_for_many_names(text: str, names: list[str]) -> None:
    assert expand_braces(text, "train") == names


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a-{0..1.tar", "braces within braces, or one without its partner"),
        ("a-0..1}.tar", "braces within braces, or one without its partner"),
        ("{a,{b,c}}", "braces within braces, or one without its partner"),
        ("{5..1}", r"counts down; write {1\.\.5}"),
        ("{abc}", r"write {000000\.\.000099} or {one,two}, not {abc}"),
        ("{0..100000}", "stands for more than 100,000 shards"),
        ("{0..999}{0..999}", "stands for more than 100,000 shards"),
        ("{0..999999999999999999}", "stands for more than 100,000 shards"),
    ],
)
def test_malformed_braces_are_refused(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=rf"train: '.*' ?:?.*{reason}"):
        expand_braces(text, "train")


def test_an_option_is_a_name_or_a_list() -> None:
    assert expand_option("{0..1}.tar", "train") == ["0.tar", "1.tar"]
    assert expand_option(["a.tar", "{0..1}.tar"], "train") == ["a.tar", "0.tar", "1.tar"]
    for value in (5, [5], {"a": 1}, [""], []):
        with pytest.raises(UsageError, match=r"train: must be a shard such as"):
            expand_option(value, "train")
    with pytest.raises(UsageError, match=r"train: names the shard 1\.tar twice"):
        expand_option(["1.tar", "{0..1}.tar"], "train")


def test_shards_are_found_beside_each_other_and_in_folders(tmp_path: Path) -> None:
    names = ("train-1.tar", "train-0.tar", "valid/0.tar", "x.txt", "test/x.tar/y.txt")
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    assert find_local_shards(tmp_path) == {
        "train": [tmp_path / "train-0.tar", tmp_path / "train-1.tar"],
        "val": [tmp_path / "valid/0.tar"],
    }
    assert find_local_shards(tmp_path / "train-0.tar") == {"": [tmp_path / "train-0.tar"]}
    assert find_local_shards(tmp_path / "x.txt") == {}
    assert find_local_shards(tmp_path / "absent") == {}


def test_shards_have_short_distinct_names() -> None:
    assert name_shards(["s3://b/a-0.tar", "s3://b/a-1.tar?key=x/y"]) == ["a-0", "a-1"]
    assert name_shards(["s3://b/day/0.tar", "s3://b/night/0.tar"]) == ["day/0", "night/0"]
    assert name_shards(["/a/1/2/3/0.tar", "/b/1/2/3/0.tar"]) == ["000000-0", "000001-0"]
