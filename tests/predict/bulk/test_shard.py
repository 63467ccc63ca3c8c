import pytest

from segnext.errors import UsageError
from segnext.predict.bulk.shard import Shard, digest_name


def test_every_name_has_one_part_whatever_else_there_is() -> None:
    names = [f"street/{number}.jpg" for number in range(2000)]
    parts = [[n for n in names if Shard(i, 7).owns(digest_name(n))] for i in range(7)]
    assert sorted(name for part in parts for name in part) == sorted(names)
    assert all(230 < len(part) < 340 for part in parts)
    # By b2sum -l 128. The same everywhere and in every version: job arrays depend on it.
    assert digest_name("a.jpg").hex() == "cde2f4fce9daad975ab1202fd69b5951"
    assert parts[0][:3] == ["street/42.jpg", "street/56.jpg", "street/64.jpg"]


def test_parsed() -> None:
    assert Shard.parse("3/16") == Shard(3, 16)
    assert Shard.parse("0/1") == Shard()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3", "give i/n with i from 0, such as 0/8"),
        ("-1/4", "give i/n"),
        ("4/4", "counted from 0: 0/4 to 3/4"),
        ("0/0", "there is no such part"),
    ],
)
def test_wrong_parts_are_named(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Shard.parse(text)
