import gc
import multiprocessing
import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from torch.utils.data import DataLoader

from segnext.data.loader import SampleStream, build_train_loader, deliver
from segnext.data.transforms import Augmentation, TrainTransform
from segnext.data.watching import WorkerDiedError
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
    return [(images.clone(), masks.clone()) for images, masks, _ in loader]


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


def test_a_start_however_late_counts_nothing() -> None:
    # Listing or reading what came before would take years.
    steps = 10**12
    stream = build_stream(length=3 * steps)
    loader = build_train_loader(stream, batch_size=3, start_step=steps - 2)
    _, masks, _ = next(iter(loader))
    assert len(loader) == 2
    assert torch.equal(masks[1], stream[3 * (steps - 2) + 1][1])


NO_MEMORY = (
    "Caught RuntimeError in DataLoader worker process 0.\nOriginal Traceback (most recent call "
    "last):\n"
    "RuntimeError: unable to write to file </torch_31_16_1>: No space left on device (28)\n"
)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ConnectionResetError, "a reading worker died while it handed over a batch"),
        (EOFError, "a reading worker died while it handed over a batch"),
        (
            RuntimeError(NO_MEMORY),
            r"got no shared memory \(RuntimeError: unable to write .* No space left on device "
            r"\(28\)\); containers need --shm-size$",
        ),
    ],
)
def test_a_worker_that_fails_to_hand_over_a_batch(error: Exception, message: str) -> None:
    class Broken(DataLoader[tuple[Any, ...]]):
        def __iter__(self) -> Any:  # what torch's iterator does then, after one batch
            yield (1,)
            raise error

    batches = deliver(Broken(build_stream()))
    assert next(batches) == (1,)
    with pytest.raises(WorkerDiedError, match=message):
        next(batches)


def read_and_fail() -> None:
    for _ in deliver(build_train_loader(build_stream(), batch_size=1, num_workers=1)):
        raise SystemExit(3)


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_a_process_that_fails_while_it_reads_ends() -> None:
    # The error keeps the workers; they ignore the SIGTERM that the process sends before it waits.
    process = multiprocessing.get_context("fork").Process(target=read_and_fail)
    process.start()
    process.join(60)
    ended = process.exitcode
    for child in psutil.Process(process.pid).children() if ended is None else []:
        child.kill()
    process.join()
    assert ended == 3


@pytest.mark.skipif(sys.platform == "win32", reason="counts POSIX files")
def test_loaders_that_are_done_leave_no_files_open() -> None:
    opened = []
    for _ in range(3):
        for _ in deliver(build_train_loader(build_stream(), batch_size=6, num_workers=2)):
            pass
        gc.collect()
        opened.append(psutil.Process().num_fds())
    assert opened[1] == opened[2]


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


def test_only_whole_batches() -> None:
    loader = build_train_loader(build_stream(length=11), batch_size=4)
    assert [len(masks) for _, masks, _ in loader] == [4, 4]


class NumberedImages(RandomImages):
    """Images in shards of five, of which the last 20 lie by themselves."""

    shards = tuple(f"{index // 5}.tar" for index in range(200))

    def __len__(self) -> int:
        return 220

    def path(self, index: int) -> Path:
        return Path(f"{index:03d}.jpg")


def build_sharded(monkeypatch: pytest.MonkeyPatch, shards: tuple[str, ...]) -> SampleStream:
    monkeypatch.setattr("segnext.data.shard_order.LEAST_SAMPLES", 1)
    transform = TrainTransform(Augmentation((32, 40)), IMAGENET_NORMALIZATION)
    return SampleStream(NumberedImages(), transform, seed=3, length=2200, shards=shards)


def test_the_order_without_shards_is_what_it_always_was(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = np.random.default_rng((1, 3, 2)).permutation(220)
    for shards in ((), ("",) * 220, ("a",) * 100 + ("b",) * 100):
        stream = build_sharded(monkeypatch, shards)
        assert [stream.index_of(440 + place) for place in range(220)] == expected.tolist()


def test_shards_come_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = build_sharded(monkeypatch, NumberedImages.shards)
    first = [stream.index_of(place) for place in range(220)]
    second = [stream.index_of(220 + place) for place in range(220)]
    assert sorted(first) == sorted(second) == list(range(220))
    assert first != second
    assert len({index // 5 for index in first[:20] if index < 200}) <= 14
    assert [stream.index_of(place) for place in range(220)] == first


def test_a_later_start_continues_the_same_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = build_sharded(monkeypatch, NumberedImages.shards)
    later = pickle.loads(pickle.dumps(build_sharded(monkeypatch, NumberedImages.shards)))
    for number in (1999, 777, 778, 1000, 5):  # as workers ask for them, in any order
        assert later.index_of(number) == whole.index_of(number)
        assert torch.equal(later[number][0], whole[number][0])


def test_shards_are_asked_for_ahead_of_their_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("segnext.data.loader.prefetch", lambda path: asked.append(path.name))
    stream = build_sharded(monkeypatch, NumberedImages.shards)
    stream[7]
    assert asked == [f"{stream.index_of(12):03d}.jpg"]
    build_stream()[0]
    assert len(asked) == 1
