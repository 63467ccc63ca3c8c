import numpy as np
import pytest

from segnext.data.shard_order import (
    most_at_a_time,
    number_shards,
    shuffle_in_windows,
    window_size,
)


def test_shards_are_numbered_as_they_come() -> None:
    shards = ["b", "b", "", "a", "a", "b"]
    assert number_shards(shards).tolist() == [0, 0, -1, 1, 1, 0]
    assert number_shards([]).tolist() == []


def test_a_window_has_enough_shards_and_samples() -> None:
    assert window_size(np.repeat(np.arange(100), 1000)) == 8
    assert window_size(np.repeat(np.arange(100), 100)) == 41
    assert window_size(np.repeat(np.arange(5), 10)) == 5
    assert window_size(np.full(9, -1)) == 0


def test_few_shards_are_shuffled_as_plain_files_are() -> None:
    numbers = np.repeat(np.arange(8), 600)
    one, other = (np.random.default_rng(3) for _ in range(2))
    np.testing.assert_array_equal(shuffle_in_windows(numbers, one), other.permutation(4800))


@pytest.mark.parametrize("per_shard", [600, 90])
def test_few_shards_are_in_use_at_a_time(per_shard: int) -> None:
    numbers = np.repeat(np.arange(200), per_shard)
    order = shuffle_in_windows(numbers, np.random.default_rng(0))
    assert sorted(order) == list(range(len(numbers)))
    seen = numbers[order]
    first = {shard: place for place, shard in reversed([*enumerate(seen.tolist())])}
    last = {shard: place for place, shard in enumerate(seen.tolist())}
    places = range(0, len(seen), 50)
    open_at = [sum(first[s] <= place <= last[s] for s in range(200)) for place in places]
    # One more is fetched ahead.
    assert max(open_at) + 1 <= most_at_a_time(numbers)
    assert max(open_at) > window_size(numbers) // 2
    # A tenth of a window already shows half of its shards or more, at the beginning too.
    tenth = window_size(numbers) * per_shard // 10
    for start in (0, len(seen) // 2, len(seen) - tenth):
        assert len(set(seen[start : start + tenth].tolist())) >= window_size(numbers) // 2


def test_every_seed_has_its_own_order() -> None:
    numbers = np.repeat(np.arange(50), 600)
    one, same, other = (
        shuffle_in_windows(numbers, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_samples_without_a_shard_come_at_any_time() -> None:
    numbers = np.concatenate([np.repeat(np.arange(20), 600), np.full(1000, -1)])
    order = shuffle_in_windows(numbers, np.random.default_rng(0))
    quarters = [(numbers[part] < 0).sum() for part in np.array_split(order, 4)]
    assert min(quarters) > 200
