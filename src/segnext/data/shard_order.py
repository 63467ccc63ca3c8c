"""The order of an epoch over shards, in which only a few shards are wanted at a time.

A full shuffle would touch every shard within the first batches; from object storage each would be
fetched over and over. Here shards get a random order, and each sample a random place within a
window of neighbouring shards: samples mix over a window, and shards come and go one by one.
"""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt

# A window has at least as many shards, and about as many samples.
LEAST_SHARDS, LEAST_SAMPLES = 8, 4096


def number_shards(shards: Sequence[str]) -> npt.NDArray[np.intp]:
    """Number the shards of samples (N,) in the order of the samples; -1 for samples without one.

    Args:
        shards: The shard of each sample, empty where it lies by itself.
    """
    numbers = np.full(len(shards), -1, np.intp)
    known: dict[str, int] = {}
    position = 0
    for shard, samples in groupby(shards):
        end = position + sum(1 for _ in samples)
        if shard:
            numbers[position:end] = known.setdefault(shard, len(known))
        position = end
    return numbers


def window_size(numbers: npt.NDArray[np.intp]) -> int:
    """Return how many shards are mixed at a time, of those that samples (N,) lie in."""
    count = int(numbers.max(initial=-1)) + 1
    inside = int((numbers >= 0).sum())
    wanted = -(-LEAST_SAMPLES * count // max(1, inside))
    return min(count, max(LEAST_SHARDS, wanted))


def most_at_a_time(numbers: npt.NDArray[np.intp]) -> int:
    """Return how many shards are in use at a time at most, the one fetched ahead among them."""
    count = int(numbers.max(initial=-1)) + 1
    # At both ends of an epoch half a window more lies upon the others.
    return min(count, window_size(numbers) * 3 // 2 + 2)


def shuffle_in_windows(
    numbers: npt.NDArray[np.intp], rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Return a permutation of samples that wants few shards at a time; see `most_at_a_time`.

    With no more shards than a window has, and for samples without a shard, it is a full shuffle.

    Args:
        numbers: Shard of each sample (N,), -1 where it lies by itself.
        rng: Decides everything.
    """
    count = int(numbers.max(initial=-1)) + 1
    window = window_size(numbers)
    if count <= window:
        return rng.permutation(len(numbers))
    # Time runs from 0 to the number of shards. A shard's samples spread over a window around its
    # own place; at both ends windows lie upon each other, so that these mix as well.
    starts = np.clip(rng.permutation(count) - window / 2, 0, count - window)
    times = rng.random(len(numbers))
    loose = numbers < 0
    times = np.where(loose, times * count, starts[numbers] + times * window)
    order: npt.NDArray[np.intp] = np.argsort(times, kind="stable")
    return order
