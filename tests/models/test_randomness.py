import contextvars
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from segnext.models import SegNeXt
from segnext.models.randomness import draw_uniform, keyed_randomness, sample_keys

CPU = torch.device("cpu")
MASK = 2**64 - 1


def split_mix(seed: int, count: int) -> int:
    """SplitMix64 value by value in Python's integers."""
    for _ in range(count + 1):
        seed = (seed + 0x9E3779B97F4A7C15) & MASK
    mixed = seed
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
    return mixed ^ (mixed >> 31)


def draw(keys: Tensor, *shapes: tuple[int, ...]) -> list[Tensor]:
    with keyed_randomness(keys):
        return [draw_uniform(len(keys), shape, CPU) for shape in shapes]


def assert_uniform(drawn: Tensor) -> None:
    """Hold mean, variance and serial correlation of a flat sequence within five deviations."""
    drawn = drawn.double()
    centered = drawn - 0.5
    count = len(drawn)
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert abs(centered.mean()) < 5 * (1 / 12 / count) ** 0.5
    assert abs(centered.square().mean() - 1 / 12) < 5 * (1 / 180 / count) ** 0.5
    for lag in (1, 2, 3, 16):
        correlation = 12 * (centered[lag:] * centered[:-lag]).mean()
        assert abs(correlation) < 5 / (count - lag) ** 0.5, lag


def test_split_mix_has_its_known_values() -> None:
    # The published first values for seed 0.
    assert [split_mix(0, n) for n in range(3)] == [
        0xE220A8397B1DCDAF,
        0x6E789E6AA1B965F4,
        0x06C45D188009454F,
    ]


@pytest.mark.parametrize("seed", [0, 1, -1, 2**31, 2**63, 2**64 - 1, -(2**63)])
def test_keys_and_values_are_those_of_split_mix(seed: int) -> None:
    keys = sample_keys(seed, 3, range(2, 5))
    expected = [split_mix(split_mix(seed & MASK, 3), sample) for sample in (2, 3, 4)]
    assert keys.dtype == torch.int64
    assert [key & MASK for key in keys.tolist()] == expected
    (values,) = draw(keys, (2, 5))
    assert values.dtype == torch.float32
    assert values.shape == (3, 2, 5)
    assert values.flatten(1).tolist() == [
        [(split_mix(key, n) >> 40) / 2**24 for n in range(10)] for key in expected
    ]


def test_later_draws_start_at_multiples_of_two_to_the_32() -> None:
    (key,) = (keys := sample_keys(0, 0, [0])).tolist()
    second = draw(keys, (3,), (4,))[1]
    jumped = (key + 2**32 * 0x9E3779B97F4A7C15) & MASK
    assert second[0].tolist() == [(split_mix(jumped, n) >> 40) / 2**24 for n in range(4)]


def test_keys_accept_tensors_and_any_order() -> None:
    shuffled = torch.tensor([7, 0, 3])
    assert torch.equal(sample_keys(5, 9, shuffled), sample_keys(5, 9, range(8))[shuffled])


def test_no_two_keys_are_equal() -> None:
    samples = torch.arange(64)
    keys = [sample_keys(seed, step, samples) for seed in range(40) for step in range(100)]
    assert len(torch.cat(keys).unique()) == 40 * 100 * 64


@pytest.mark.parametrize(
    "sequence",
    [
        pytest.param(lambda: draw(sample_keys(0, 0, [0]), (100_000,))[0][0], id="elements"),
        pytest.param(
            lambda: torch.stack(draw(sample_keys(0, 0, range(1000)), *[()] * 100)).T.flatten(),
            id="streams",
        ),
        pytest.param(lambda: draw(sample_keys(0, 0, range(100_000)), ())[0], id="samples"),
        pytest.param(
            lambda: torch.cat([draw(sample_keys(0, s, range(50)), ())[0] for s in range(2000)]),
            id="steps",
        ),
        pytest.param(
            lambda: torch.cat([draw(sample_keys(s, 0, range(50)), ())[0] for s in range(2000)]),
            id="seeds",
        ),
    ],
)
def test_values_are_uniform_and_uncorrelated_along_every_axis(
    sequence: Callable[[], Tensor],
) -> None:
    assert_uniform(sequence())


@pytest.mark.parametrize("axis", ["element", "stream", "sample", "step", "seed"])
def test_neighbours_agree_in_half_of_the_bits(axis: str) -> None:
    def bits(seed: int = 0, step: int = 0, first: int = 0, stream: int = 0) -> Tensor:
        drawn = draw(sample_keys(seed, step, range(first, first + 64)), *[(257,)] * (stream + 1))
        return (drawn[stream] * 2**24).long()

    start = bits()
    neighbour = {
        "element": lambda: start.roll(1, dims=1),
        "stream": lambda: bits(stream=1),
        "sample": lambda: bits(first=1),
        "step": lambda: bits(step=1),
        "seed": lambda: bits(seed=1),
    }[axis]()
    differing = (start ^ neighbour)[..., None] >> torch.arange(24) & 1
    share = differing.double().mean((0, 1))
    assert (share - 0.5).abs().max() < 5 * 0.5 / start.numel() ** 0.5


def test_every_byte_is_equally_frequent() -> None:
    values = (draw(sample_keys(1, 2, range(100)), (1000,))[0] * 2**24).long().flatten()
    for shift in (0, 8, 16):
        counts = torch.bincount(values >> shift & 255, minlength=256).double()
        expected = len(values) / 256
        chi_square = ((counts - expected).square() / expected).sum()
        assert abs(chi_square - 255) < 5 * (2 * 255) ** 0.5


def test_a_sample_draws_the_same_in_any_batch() -> None:
    shapes = ((), (16, 4), (1, 1, 1))
    whole = draw(sample_keys(3, 4, range(6)), *shapes)
    for part in (range(2), range(2, 5), range(5, 6)):
        for expected, found in zip(whole, draw(sample_keys(3, 4, part), *shapes), strict=True):
            assert torch.equal(expected[part.start : part.stop], found)


def test_entering_again_repeats_and_nesting_keeps_the_count() -> None:
    keys = sample_keys(0, 0, range(2))
    first, second = draw(keys, (4,), (4,))
    assert not torch.equal(first, second)
    with keyed_randomness(keys):
        assert torch.equal(draw_uniform(2, (4,), CPU), first)
        assert torch.equal(draw(keys, (4,))[0], first)
        assert torch.equal(draw_uniform(2, (4,), CPU), second)


def test_the_global_generator_serves_outside_only() -> None:
    state = torch.get_rng_state()
    draw(sample_keys(0, 0, range(3)), (5,))
    assert torch.equal(torch.get_rng_state(), state)
    drawn = draw_uniform(3, (2, 5), CPU)
    torch.set_rng_state(state)
    assert torch.equal(drawn, torch.rand(3, 2, 5))


def test_an_error_inside_ends_the_keys() -> None:
    with pytest.raises(KeyError), keyed_randomness(sample_keys(0, 0, [0])):
        raise KeyError
    assert draw_uniform(3, (), CPU).shape == (3,)


def test_other_contexts_do_not_see_the_keys() -> None:
    with keyed_randomness(sample_keys(0, 0, [0])):
        elsewhere = contextvars.Context().run(draw_uniform, 3, (), CPU)
    assert elsewhere.shape == (3,)


def test_another_batch_than_the_keys_is_a_mistake() -> None:
    with (
        keyed_randomness(sample_keys(0, 0, range(4))),
        pytest.raises(AssertionError, match="a batch of 3 samples has 4 keys"),
    ):
        draw_uniform(3, (), CPU)


def freeze_batch_statistics(model: SegNeXt) -> SegNeXt:
    """Train all but batch normalisation, the one layer that mixes samples."""
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    return model


def test_a_model_in_training_gives_a_sample_the_same_logits_in_any_batch(
    smallest_model: SegNeXt,
) -> None:
    model = freeze_batch_statistics(smallest_model).double()
    images = torch.randn(4, 3, 64, 64, dtype=torch.float64)

    def run(part: slice, step: int) -> Tensor:
        with torch.no_grad(), keyed_randomness(sample_keys(0, step, range(4)[part])):
            return model(images[part])

    whole = run(slice(4), 0)
    for part in (slice(0, 1), slice(1, 4)):
        torch.testing.assert_close(run(part, 0), whole[part], rtol=1e-4, atol=1e-6)
    assert not torch.allclose(run(slice(4), 1), whole, rtol=1e-4, atol=1e-6)
