"""Training samples as a pure function of (seed, number).

Sample i of a run is the same bits whatever the number of workers, and a resumed run starts at
sample `step * batch_size` with no other state: the shuffle of epoch e and the augmentation of
sample i are drawn from generators keyed by (seed, e) and (seed, i).
"""

import functools
import multiprocessing
import re
import signal
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from segnext.data.containers.paths import prefetch
from segnext.data.reading import LabelledImages
from segnext.data.shard_order import number_shards, shuffle_in_windows
from segnext.data.transforms import TrainTransform
from segnext.data.watching import Patience, Samples, Watch, WatchedSamples, WorkerDiedError
from segnext.errors import DataError

# First entries of the seed sequences, so that shuffles and augmentations share no numbers.
_SHUFFLE, AUGMENT, _REPLACE = 1, 2, 3
# Pictures tried for one sample before the data are given up.
_TRIES = 8
# What torch raises where a batch is not there in time.
_TIMED_OUT = "DataLoader timed out after"
# How it names the files of shared memory in which workers hand over their batches.
_SHARED_FILE = re.compile(r"</torch_\d+")

Sample = tuple[Tensor, Tensor, str]


class SampleStream(Dataset[Sample]):
    """An endless shuffle of augmented samples, addressed by number.

    Where a picture or its mask cannot be read, another one stands for it, the same at every try,
    and the sample says so: whether that will do is for the run to say.

    Args:
        images: The training split.
        transform: Augmentation.
        seed: Of the run.
        length: Number of samples the run will take.
        shards: Which shard each of the first images lies in, empty for none. With shards an epoch
            goes over a few of them at a time; see `segnext.data.shard_order`.
    """

    def __init__(
        self,
        images: LabelledImages,
        transform: TrainTransform,
        *,
        seed: int,
        length: int,
        shards: Sequence[str] = (),
    ) -> None:
        self.images = images
        self.transform = transform
        self.seed = seed
        self.length = length
        self._order = _ShardOrder(seed, shards, len(images)) if any(shards) else None

    def __len__(self) -> int:
        """Return the number of samples of the whole run."""
        return self.length

    def __getitem__(self, number: int) -> Sample:
        """Return sample `number`.

        Returns:
            Image (C, h, w) float32, mask (h, w) int64, and why another picture is shown than is
            due, else an empty text.

        Raises:
            DataError: One picture after the other cannot be read.
        """
        if self._order is not None:
            ahead = self.index_of(number + self._order.samples_ahead)
            prefetch(self.images.path(ahead))
        item, problem = self._read(number)
        rng = np.random.default_rng((AUGMENT, self.seed, number))
        augmented, target = self.transform(item["image"], item["mask"], rng)
        return torch.from_numpy(augmented), torch.from_numpy(target), problem

    def _read(self, number: int) -> tuple[Mapping[str, Any], str]:
        """Return the item of a sample, or another one and why."""
        try:
            return self.images[self.index_of(number)], ""
        except DataError as error:
            problem = str(error)
        others = np.random.default_rng((_REPLACE, self.seed, number))
        for index in others.integers(len(self.images), size=_TRIES - 1):
            try:
                return self.images[int(index)], problem
            except DataError:
                continue
        msg = f"{problem}; nor can {_TRIES - 1} other pictures be read"
        raise DataError(msg)

    def picture_of(self, number: int) -> str:
        """Return the path of the picture that sample `number` shows."""
        return str(self.images.path(self.index_of(number)))

    def index_of(self, number: int) -> int:
        """Return which image of the split sample `number` shows."""
        epoch, position = divmod(number, len(self.images))
        if self._order is not None:
            return int(self._order.of(epoch)[position])
        return int(shuffle(self.seed, epoch, len(self.images))[position])


@functools.lru_cache(maxsize=2)
def shuffle(seed: int, epoch: int, count: int) -> npt.NDArray[np.intp]:
    """Return the order of an epoch over `count` pictures."""
    return np.random.default_rng((_SHUFFLE, seed, epoch)).permutation(count)


class _ShardOrder:
    """The order of each epoch over images in shards."""

    def __init__(self, seed: int, shards: Sequence[str], count: int) -> None:
        self._seed = seed
        self._numbers = np.full(count, -1, np.intp)
        self._numbers[: len(shards)] = number_shards(shards)
        self._orders: dict[int, npt.NDArray[np.intp]] = {}
        # A shard is fetched while about as many samples are taken as it has itself.
        self.samples_ahead = max(1, count // (int(self._numbers.max()) + 1))

    def of(self, epoch: int) -> npt.NDArray[np.intp]:
        """Return which image comes at each position of an epoch."""
        if epoch not in self._orders:
            rng = np.random.default_rng((_SHUFFLE, self._seed, epoch))
            latest = sorted(self._orders.items())[-1:]  # the other one that is in use
            self._orders = {**dict(latest), epoch: shuffle_in_windows(self._numbers, rng)}
        return self._orders[epoch]


def build_train_loader(
    stream: Samples,
    *,
    batch_size: int,
    share: range | None = None,
    start_step: int = 0,
    num_workers: int = 0,
    patience: Patience | None = None,
) -> DataLoader[tuple[Any, ...]]:
    """Build the loader of a run from optimizer step `start_step` on.

    Args:
        stream: Samples of the whole run; only whole batches are delivered.
        batch_size: Samples per step, over all processes.
        share: Which of a batch's samples this process takes; all of them if not given.
        start_step: Steps already done.
        num_workers: Processes that read ahead; 0 reads in this one.
        patience: With those processes, for `deliver`.

    Returns:
        Batches of images (B, C, h, w) float32 in channels_last memory and the rest, such as masks
        (B, h, w) int64.
    """
    read, look_every = cast("Dataset[tuple[Any, ...]]", stream), 0.0
    if num_workers > 0:
        read = WatchedSamples(stream, num_workers, patience or Patience())
        look_every = read.patience.look_every
    return DataLoader(
        read,
        batch_sampler=_Steps(
            range(start_step, len(stream) // batch_size), batch_size, share or range(batch_size)
        ),
        num_workers=num_workers,
        collate_fn=stack_samples,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=start_worker,
        persistent_workers=num_workers > 0,
        timeout=look_every,
    )


def deliver(
    loader: DataLoader[tuple[Any, ...]], tell: Callable[[str], None] = lambda _: None
) -> Iterator[Any]:
    """Yield the batches of a loader, and say in one line what goes wrong in its workers.

    Args:
        loader: One from `build_train_loader` is watched: who is slow is named, who hangs is ended.
        tell: Gets a line about a worker that is slow.

    Raises:
        WorkerDiedError: A worker is gone, or was ended. It is noticed here and nowhere else, so
            that no step is cut in two.
        DataError: A worker could not read.
    """
    watched = loader.dataset
    watch = Watch(watched, tell) if isinstance(watched, WatchedSamples) else None
    batches = _start(loader)
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except DataError as error:
            # A worker's error comes with its traceback; its last line is what was raised.
            _, _, said = str(error).rpartition(f"{DataError.__name__}: ")
            raise DataError(said.strip()) from error
        except RuntimeError as error:
            if watch is not None and str(error).startswith(_TIMED_OUT):
                watch.look()
                continue  # nothing is lost: the same batch is waited for
            if _SHARED_FILE.search(str(error)):
                said = str(error).strip().splitlines()[-1]
                msg = f"a reading worker got no shared memory ({said}); containers need --shm-size"
                raise WorkerDiedError(msg) from error
            died = re.match(r"DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\)", str(error))
            if not died:
                raise
            msg = f"the reading worker with process id {died[1]} died; the system may lack memory"
            raise WorkerDiedError(msg) from error
        except (ConnectionError, EOFError) as error:
            # Its batch lies in memory that torch asks it for, and may be asked for too late.
            msg = "a reading worker died while it handed over a batch; the system may lack memory"
            raise WorkerDiedError(msg) from error
        yield batch
        if watch is not None:
            watch.start()


def _start(loader: DataLoader[tuple[Any, ...]]) -> Iterator[Any]:
    """Return an iterator of a loader whose workers cut nothing in two, and end with the process."""
    others = {*multiprocessing.active_children()}
    batches: Iterator[Any]
    if not hasattr(signal, "SIGCHLD") or threading.current_thread() is not threading.main_thread():
        batches = iter(loader)
    else:
        batches = _start_without_handler(loader)
    for worker in {*multiprocessing.active_children()} - others:
        # At its end a process sends those left a SIGTERM, which workers ignore, and waits for them.
        # Referred to weakly: a process object holds files open, and validations start many.
        Finalize(None, _kill, (weakref.ref(worker),), exitpriority=0)
    return batches


def _kill(worker: "weakref.ref[BaseProcess]") -> None:
    left = worker()
    if left is not None:
        left.kill()


def _start_without_handler(loader: DataLoader[tuple[Any, ...]]) -> Iterator[Any]:
    """Return an iterator of a loader, and leave the signal SIGCHLD as it was.

    The first loader with workers of a process, ours or any other, makes torch set a handler that
    raises at any point of the program. Who waits for a batch looks after the workers anyway, every
    five seconds.
    """
    before = signal.getsignal(signal.SIGCHLD)
    batches = iter(loader)
    if _is_torchs(signal.getsignal(signal.SIGCHLD)):
        unknown = before is None or _is_torchs(before)  # None: not set from Python
        signal.signal(signal.SIGCHLD, signal.SIG_DFL if unknown else before)
    return batches


def _is_torchs(handler: object) -> bool:
    return str(getattr(handler, "__module__", "")).startswith("torch.utils.data.")


def stack_samples(samples: list[tuple[Any, ...]]) -> list[Any]:
    """Make a batch of samples: images (B, C, h, w) in channels_last memory, and the rest."""
    # Stacked as (h, w, C), which they are in memory: nothing is transposed on the way to a network
    # that computes in channels_last.
    turned = [(image.permute(1, 2, 0), *rest) for image, *rest in samples]
    images, *rest = default_collate(turned)
    return [images.permute(0, 3, 1, 2), *rest]


@dataclass(frozen=True)
class _Steps:
    """The sample numbers of each step, counted and never listed."""

    steps: range
    batch_size: int
    share: range

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[list[int]]:
        for step in self.steps:
            yield [step * self.batch_size + place for place in self.share]


def start_worker(_: int) -> None:
    """Set up a process that reads ahead."""
    # Workers already run side by side; OpenCV's own threads would only compete with them.
    cv2.setNumThreads(0)
    # Ctrl-C, or a scheduler's SIGTERM, reaches the whole group; the main process finishes its step
    # and ends the workers, which also end by themselves once it is gone.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
