"""Which sample each reading process is at, so that one that is slow or hangs can be named."""

import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch.utils.data import Dataset, get_worker_info

from segnext.errors import TrainingError

# Columns of the table that reading processes share: of each its process id, the sample it reads
# (-1 between two) and when it began.
_PROCESS, _SAMPLE, _SINCE = range(3)
# Most seconds between two looks: also how soon a dead process is noticed.
LOOK_EVERY_S = 5.0


class WorkerDiedError(TrainingError):
    """A process that reads ahead is gone; nothing but its batches is lost."""


class Samples(Protocol):
    """All samples of a run by number: an image (C, h, w), its label or mask, and more."""

    def __len__(self) -> int: ...
    def __getitem__(self, number: int) -> tuple[Any, ...]: ...
    def picture_of(self, number: int) -> str:
        """Return which picture sample `number` shows, for people."""


@dataclass(frozen=True)
class Patience:
    """How long a batch is waited for, in seconds.

    Attributes:
        slow: After which the processes that read are named, and again at twice that, four times...
        hung: After which they are ended.
    """

    slow: float = 30.0
    hung: float = 300.0

    @property
    def look_every(self) -> float:
        """Seconds between two looks."""
        return min(LOOK_EVERY_S, self.slow, self.hung)


class WatchedSamples(Dataset[tuple[Any, ...]]):
    """Samples that note in shared memory who reads which, since when.

    Args:
        samples: Of the run.
        num_workers: Processes that will read them.
        patience: With them.
    """

    def __init__(self, samples: Samples, num_workers: int, patience: Patience) -> None:
        self.samples = samples
        self.patience = patience
        self._table = torch.full((num_workers, 3), -1.0, dtype=torch.float64)
        self._table.share_memory_()  # type: ignore[no-untyped-call]

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.samples)

    def __getitem__(self, number: int) -> tuple[Any, ...]:
        """Read a sample."""
        worker = get_worker_info()
        assert worker is not None, "read by a DataLoader's processes alone"
        row = self._table[worker.id]
        row[_PROCESS], row[_SINCE], row[_SAMPLE] = os.getpid(), time.monotonic(), number
        sample = self.samples[number]
        row[_SAMPLE] = -1
        return sample

    def readers(self) -> list["Reader"]:
        """Return who reads at the moment, the slowest first."""
        now = time.monotonic()
        rows = [[int(pid), int(sample), now - since] for pid, sample, since in self._table.tolist()]
        busy = [Reader(*row) for row in rows if row[_SAMPLE] >= 0]
        return sorted(busy, key=lambda reader: -reader.seconds)

    def processes(self) -> set[int]:
        """Return the ids of all processes that ever read."""
        return {int(pid) for pid in self._table[:, _PROCESS].tolist() if pid > 0}


@dataclass(frozen=True)
class Reader:
    """A process that reads a sample, and for how long it has done so."""

    process: int
    sample: int
    seconds: float


class Watch:
    """Says who keeps a batch waiting, and ends who hangs.

    Args:
        samples: What is read.
        tell: Gets a line where reading is slow.
    """

    def __init__(self, samples: WatchedSamples, tell: Callable[[str], None]) -> None:
        self._samples = samples
        self._tell = tell
        self.start()

    def start(self) -> None:
        """Begin to wait for a batch."""
        self._since = time.monotonic()
        self._next_line = self._samples.patience.slow

    def look(self) -> None:
        """Say who is slow, if it is time.

        Raises:
            WorkerDiedError: The batch has been waited for too long; who reads was killed.
        """
        waited = time.monotonic() - self._since
        if waited >= self._samples.patience.hung:
            said = self._describe(waited)
            self._kill()
            msg = f"{said}, which counts as hung (worker_hung): killed"
            raise WorkerDiedError(msg)
        if waited >= self._next_line:
            self._next_line = 2 * waited
            self._tell(f"{self._describe(waited)}; the storage or the network may be slow")

    def _describe(self, waited: float) -> str:
        readers = self._samples.readers()
        if not readers:
            return f"no batch for {waited:.3g} s, and no reading worker is at a picture"
        first, *others = readers
        also = f"; {len(others)} more read as well" if others else ""
        picture = self._samples.samples.picture_of(first.sample)
        return (
            f"no batch for {waited:.3g} s: the reading worker with process id {first.process} has "
            f"been at sample {first.sample}, {picture}, for {first.seconds:.3g} s{also}"
        )

    def _kill(self) -> None:
        """End who has read one sample for half that time, or all where nobody has.

        With SIGKILL, because reading workers ignore SIGTERM. The others end by themselves.
        """
        hung = self._samples.patience.hung
        readers = self._samples.readers()
        doomed = {reader.process for reader in readers if reader.seconds >= hung / 2}
        for child in multiprocessing.active_children():
            if child.pid in (doomed or self._samples.processes()):
                child.kill()
