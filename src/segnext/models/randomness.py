"""The model's own randomness in training, a function of the seed, the step and the sample.

Drop path, channel dropout and the first bases of the decomposition draw numbers inside the forward
pass. From a global generator, a sample's numbers would depend on which samples share its batch and
on the process it landed in. Within `keyed_randomness` every sample has a key, and its numbers
follow from that key alone: any number of processes and any split into micro-batches gives a sample
the same ones.

The generator is SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
Generators", 2014) with Stafford's finaliser, variant 13. It counts: value n of a sequence is
computed at once, without the values before it.

Shapes: B batch.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor

# Torch multiplies int64, which wraps around; these are the unsigned constants as int64.
INCREMENT = 0x9E3779B97F4A7C15 - 2**64
FACTOR1 = 0xBF58476D1CE4E5B9 - 2**64
FACTOR2 = 0x94D049BB133111EB - 2**64
RANDOM_BITS = 24  # all that a float32 in [0, 1) holds at even distances


@dataclass
class _Keyed:
    keys: Tensor
    streams: int = 0


_active: ContextVar[_Keyed | None] = ContextVar("keyed_randomness", default=None)


def sample_keys(seed: int, step: int, samples: Tensor | Sequence[int]) -> Tensor:
    """Compute the keys of a batch.

    Args:
        seed: Of the run; any integer, taken modulo 2**64.
        step: Optimizer step, from 0.
        samples: (B,) integers, the number of each sample within the step, counted over all
            processes and micro-batches.

    Returns:
        (B,) int64 on the device of `samples`. Different samples of one seed and step never share
        a key.
    """
    samples = torch.as_tensor(samples, dtype=torch.int64)
    wrapped = (seed + 2**63) % 2**64 - 2**63
    return _split_mix(_split_mix(samples.new_tensor(wrapped), samples.new_tensor(step)), samples)


@contextmanager
def keyed_randomness(keys: Tensor) -> Iterator[None]:
    """Let every `draw_uniform` inside depend on the keys and on how many draws came before.

    Enter it anew for each forward pass.

    Args:
        keys: (B,) int64 from `sample_keys`, one per sample of the batch.
    """
    token = _active.set(_Keyed(keys))
    try:
        yield
    finally:
        _active.reset(token)


def draw_uniform(batch: int, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Draw numbers for each sample of a batch.

    Within `keyed_randomness` they follow from the sample's key, the same on every device, and no
    generator is touched. Elsewhere they come from the global generator of the device.

    Args:
        batch: B; the number of keys, if there are any.
        shape: Of one sample's numbers, fewer than 2**32.
        device: Where to draw.

    Returns:
        (B, *shape) float32, uniform in [0, 1).
    """
    keyed = _active.get()
    if keyed is None:
        return torch.rand(batch, *shape, device=device)
    assert batch == len(keyed.keys), f"a batch of {batch} samples has {len(keyed.keys)} keys"
    keyed.keys = keyed.keys.to(device)
    # Each draw owns a range of 2**32 counts, so no two draws of a sample meet.
    counts = torch.arange(math.prod(shape), device=device) + (keyed.streams << 32)
    keyed.streams += 1
    bits = _shift_right(_split_mix(keyed.keys[:, None], counts), 64 - RANDOM_BITS)
    return (bits.float() * 2.0**-RANDOM_BITS).view(batch, *shape)


def _split_mix(seed: Tensor, count: Tensor) -> Tensor:
    """Value number `count`, from 0, of the sequence that starts at `seed`; all int64."""
    mixed = seed + (count + 1) * INCREMENT
    mixed = (mixed ^ _shift_right(mixed, 30)) * FACTOR1
    mixed = (mixed ^ _shift_right(mixed, 27)) * FACTOR2
    return mixed ^ _shift_right(mixed, 31)


def _shift_right(bits: Tensor, by: int) -> Tensor:
    # int64 has a sign, which its shift would draw in from the left.
    return (bits >> by) & ((1 << (64 - by)) - 1)
