from pathlib import Path

import pytest

from segnext.data.pairing import Item
from segnext.data.splits import (
    DEFAULT_SHARES,
    Splits,
    assign_groups,
    describe_leaks,
    parse_group,
    split_by_hash,
)
from segnext.errors import DataError, UsageError


def _items(count: int, per_group: int = 1) -> list[Item]:
    return [
        Item(f"v{index // per_group}/{index}", Path(f"{index}.jpg"), None, f"v{index // per_group}")
        for index in range(count)
    ]


def _names(splits: Splits) -> dict[str, list[str]]:
    return {split: [item.name for item in items] for split, items in splits.items()}


def test_shares() -> None:
    splits = split_by_hash(_items(100), seed=0, shares=DEFAULT_SHARES)
    assert {split: len(items) for split, items in splits.items()} == {
        "train": 80,
        "val": 10,
        "test": 10,
    }
    assert sum(map(len, splits.values())) == len({i.name for part in splits.values() for i in part})


def test_the_split_is_the_same_everywhere() -> None:
    # SHA-256 of "0:v0" .. "0:v5", as sha256sum prints it, starts lowest for v3 and then v5.
    splits = split_by_hash(_items(6), seed=0, shares=DEFAULT_SHARES)
    assert _names(splits)["val"] == ["v3/3"]
    assert _names(splits)["test"] == ["v5/5"]


def test_order_of_the_files_does_not_matter() -> None:
    forward = split_by_hash(_items(20), seed=3, shares=DEFAULT_SHARES)
    backward = split_by_hash(_items(20)[::-1], seed=3, shares=DEFAULT_SHARES)
    assert {k: sorted(v) for k, v in _names(forward).items()} == {
        k: sorted(v) for k, v in _names(backward).items()
    }


def test_another_seed_gives_another_split() -> None:
    one, other = (split_by_hash(_items(30), seed=seed, shares=DEFAULT_SHARES) for seed in (0, 1))
    assert _names(one) != _names(other)


@pytest.mark.parametrize(
    ("count", "sizes"), [(2, {"train": 1, "val": 1}), (3, {"train": 1, "val": 1, "test": 1})]
)
def test_few_pictures(count: int, sizes: dict[str, int]) -> None:
    splits = split_by_hash(_items(count), seed=0, shares=DEFAULT_SHARES)
    assert {split: len(items) for split, items in splits.items()} == sizes


def test_no_share_for_test_means_no_test() -> None:
    assert list(split_by_hash(_items(30), seed=0, shares=(0.9, 0.1, 0.0))) == ["train", "val"]


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(DataError, match=r"all 4 images are in one group \(v0\)"):
        split_by_hash(_items(4, per_group=4), seed=0, shares=DEFAULT_SHARES)


def test_shares_must_add_up() -> None:
    with pytest.raises(UsageError, match="must add up to 1"):
        split_by_hash(_items(4), seed=0, shares=(0.8, 0.1, 0.2))


def test_a_group_is_never_divided() -> None:
    splits = split_by_hash(_items(60, per_group=5), seed=0, shares=DEFAULT_SHARES)
    groups = [{item.group for item in items} for items in splits.values()]
    assert len(set().union(*groups)) == sum(map(len, groups)) == 12


def test_regular_expressions() -> None:
    assert parse_group(r"^v\d+").group("v12/7") == "v12"
    assert parse_group(r"/(\d)\d").group("v12/75") == "7"


def test_expression_that_matches_nothing() -> None:
    with pytest.raises(DataError, match=r"--group frame does not match the image v0/1"):
        parse_group("frame").group("v0/1")


def test_malformed_expression() -> None:
    with pytest.raises(UsageError, match=r"neither a \.csv file nor a regular expression"):
        parse_group("(")


def test_table(tmp_path: Path) -> None:
    path = tmp_path / "groups.csv"
    path.write_text("image, group, weather\nv0/1.jpg,A,sun\n2,B,rain\n", encoding="utf-8")
    rule = parse_group(str(path))
    assert (rule.group("v0/1"), rule.group("v9/2")) == ("A", "B")
    with pytest.raises(DataError, match="has no row for the image v0/3"):
        rule.group("v0/3")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,group\na,A\n", "must name the columns image,group, not file,group"),
        ("image,group\na\n", "line 2: the image a has no group"),
        ("image,group\na,A\na.jpg,B\n", "line 3: a is in A and in B"),
        ("image,group\n", "names no image"),
        ("", "must name the columns"),
    ],
)
def test_malformed_table(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "groups.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        parse_group(str(path))


def test_table_that_is_missing() -> None:
    with pytest.raises(UsageError, match=r"--group absent\.csv: no such file"):
        parse_group("absent.csv")


def test_leaks_are_said() -> None:
    rule = parse_group(r"^v\d+")
    items = assign_groups(_items(4, per_group=2), rule)
    assert describe_leaks({"train": items[:2], "val": items[2:]}, rule) == []
    (note,) = describe_leaks({"train": items[:1], "val": items[1:]}, rule)
    assert note == "leak: 1 groups lie in several splits, so scores flatter: v0 (train, val)"
    assert describe_leaks({"train": items[:1], "val": items[:2]}, None) == [
        "leak: 1 images are in both train and val: 0.jpg"
    ]
