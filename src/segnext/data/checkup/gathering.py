"""Read every picture and mask of a data set, side by side."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from itertools import repeat

import cv2

from segnext.data.checkup.readings import Job, Reading, read_job
from segnext.data.masks import MaskReader
from segnext.data.preparation import end_with_parent
from segnext.errors import DataError

# With fewer, a process takes longer to start, for seconds, than to do its part.
JOBS_PER_PROCESS = 500
_CHUNK = 8

# Set once in each process: the labels of a large data set must not travel with every job.
_reader: MaskReader | None = None


def gather(
    jobs: Sequence[Job],
    reader: MaskReader | None,
    *,
    workers: int | None = None,
    on_done: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Reading]:
    """Read all pictures and masks.

    Args:
        jobs: What to read.
        reader: See `read_job`.
        workers: Processes; the machine's cores if not given, but no more than pay off. 0 reads in
            threads of this process.
        on_done: Called with pictures done and in all.

    Returns:
        A reading for each job, in their order.

    Raises:
        DataError: The system ended one of the processes.
    """
    if workers is None:
        workers = min(os.cpu_count() or 1, len(jobs) // JOBS_PER_PROCESS)
        workers = workers if workers > 1 else 0
    if workers < 1:
        with ThreadPoolExecutor() as threads, _quiet_decoders():
            return _collect(threads.map(read_job, jobs, repeat(reader)), len(jobs), on_done)
    # Forking a process that has threads, as OpenCV and torch start them, can lock up.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start_worker, (reader,)) as pool:
        try:
            found = pool.map(_read_with_shared, jobs, chunksize=_CHUNK)
            readings = _collect(found, len(jobs), on_done)
        except BrokenProcessPool:
            msg = (
                f"one of {workers} processes that read the pictures was ended by the system, "
                f"probably for lack of memory; give fewer with --workers"
            )
            raise DataError(msg) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    # What came back are copies; millions of paths need not be kept twice.
    return [replace(reading, item=job.item) for job, reading in zip(jobs, readings, strict=True)]


def _collect(
    found: Iterable[Reading], total: int, on_done: Callable[[int, int], None]
) -> list[Reading]:
    readings = []
    on_done(0, total)
    for reading in found:
        readings.append(reading)
        on_done(len(readings), total)
    return readings


@contextmanager
def _quiet_decoders() -> Iterator[None]:
    """Keep OpenCV from printing lines about broken files, which are findings here."""
    logging = cv2.utils.logging
    before = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(before)


def _start_worker(reader: MaskReader | None) -> None:
    global _reader
    _reader = reader
    cv2.setNumThreads(1)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    end_with_parent()
    # Ctrl-C reaches the whole group; the main process ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _read_with_shared(job: Job) -> Reading:
    return read_job(job, _reader)
