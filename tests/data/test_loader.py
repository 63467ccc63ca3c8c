import pickle
from collections.abc import Mapping

import numpy as np
import pytest
import torch

from segnext.data.loader import SampleStream, build_train_loader, read_ahead
from segnext.data.transforms import Augmentation, TrainTransform
from segnext.spec import IMAGENET_NORMALIZATION


class RandomImages:
    def __len__(self) -> int:
        return 7

    def __getitem__(self, index: int) -> Mapping[str, np.ndarray]:
        rng = np.random.default_rng(index)
        return {
            "image": rng.integers(0, 256, (50, 60, 3), dtype=np.uint8),
            "mask": rng.integers(0, 3, (50, 60), dtype=np.uint8),
        }


def build_stream(seed: int = 0, length: int = 12) -> SampleStream:
    transform = TrainTransform(Augmentation((32, 40)), IMAGENET_NORMALIZATION)
    return SampleStream(RandomImages(), transform, seed=seed, length=length)


def read(num_workers: int, start_step: int = 0) -> list[tuple[torch.Tensor, torch.Tensor]]:
    loader = build_train_loader(
        build_stream(), batch_size=3, start_step=start_step, num_workers=num_workers
    )
    return [(images.clone(), masks.clone()) for images, masks in loader]


# More workers than this machine has cores is the point here.
@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("num_workers", [2, 4])
def test_the_same_bits_with_any_number_of_workers(num_workers: int) -> None:
    alone, together = read(0), read(num_workers)
    assert len(alone) == len(together) == 4
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])


def test_a_later_start_continues_the_same_samples() -> None:
    for one, other in zip(read(0)[2:], read(0, start_step=2), strict=True):
        assert torch.equal(one[0], other[0])


def test_every_epoch_shows_every_image_once_in_its_own_order() -> None:
    stream = build_stream(length=14)
    first, second = (
        [stream.index_of(i) for i in range(7)],
        [stream.index_of(i) for i in range(7, 14)],
    )
    assert sorted(first) == sorted(second) == list(range(7))
    assert first != second


def test_seeds_differ() -> None:
    assert not torch.equal(build_stream(seed=0)[0][0], build_stream(seed=1)[0][0])


def test_samples_survive_a_spawned_worker() -> None:
    stream = build_stream()
    sent = pickle.loads(pickle.dumps(stream))
    assert torch.equal(sent[3][0], stream[3][0])


def test_reading_ahead_keeps_order_and_hands_errors_to_the_caller() -> None:
    def read(item: int) -> int:
        if item == 5:
            raise ValueError("five")
        return item * 10

    found = []
    for item, reading in read_ahead(read, range(8), depth=3):
        try:
            found.append((item, reading.result()))
        except ValueError as error:
            found.append((item, str(error)))
    expected = [(i, i * 10) for i in range(8)]
    expected[5] = (5, "five")
    assert found == expected


def test_only_whole_batches() -> None:
    loader = build_train_loader(build_stream(length=11), batch_size=4)
    assert [len(masks) for _, masks in loader] == [4, 4]
