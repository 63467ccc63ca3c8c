"""Write many files side by side, so that a stopped preparation goes on where it was."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from segnext.errors import DataError, SegnextError
from segnext.storage import write_atomically

# Waiting tasks per process: enough to keep it busy, few enough that an error stops soon.
_AHEAD = 4


@dataclass(frozen=True)
class Task:
    """A file to be made, or several that come from one source.

    Attributes:
        output: Path below the output folder.
        make: Returns the file's content; a function of a module, so that processes can find it.
            One that makes several files yields path and content of each, `output` last, since
            that one tells that all are done.
        arguments: For it; picklable.
    """

    output: str
    make: Callable[..., bytes | Iterator[tuple[str, bytes]]]
    arguments: tuple[object, ...]


def run_tasks(
    tasks: Sequence[Task],
    out: Path,
    *,
    workers: int | None = None,
    on_done: Callable[[int, int], None] = lambda _done, _total: None,
) -> int:
    """Make every file that is not there yet.

    Files appear whole or not at all (see `segnext.storage`), so what is there is done: a second
    call does nothing, and one after a kill does the rest.

    Args:
        tasks: With distinct outputs.
        out: Output folder; made if missing.
        workers: Processes; the machine's cores if not given, 0 works in this process.
        on_done: Called with files done and in all.

    Returns:
        Number of files written now.

    Raises:
        DataError: The first error of a task, or the system ended one of the processes; what was
            written stays.
    """
    missing = [task for task in tasks if not (out / task.output).is_file()]
    done = len(tasks) - len(missing)
    on_done(done, len(tasks))
    count = (os.cpu_count() or 1) if workers is None else workers
    if min(count, len(missing)) <= 1:
        for task in missing:
            _run(task, out)
            done += 1
            on_done(done, len(tasks))
        return len(missing)
    # Forking a process that has threads, as OpenCV and torch start them, can lock up.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(count, len(missing)), context, _start_worker) as pool:
        waiting: set[Future[None]] = set()
        try:
            for task in missing:
                waiting.add(pool.submit(_run, task, out))
                if len(waiting) >= count * _AHEAD:
                    finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    done = _collect(finished, done)
                    on_done(done, len(tasks))
            for future in list(waiting):
                done = _collect({future}, done)
                on_done(done, len(tasks))
        except BrokenProcessPool:
            msg = (
                f"{out}: one of {count} processes was ended by the system, probably for lack of "
                f"memory; call again with fewer --workers, and it goes on"
            )
            raise DataError(msg) from None
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return len(missing)


def end_with_parent() -> None:
    """End this process as soon as the one that started it is gone, even if that was killed.

    A pool's processes hold both ends of the pipe they get their work from, so they would wait for
    more forever.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _collect(finished: set[Future[None]], done: int) -> int:
    for future in finished:
        future.result()
    return done + len(finished)


def _run(task: Task, out: Path) -> None:
    try:
        made = task.make(*task.arguments)
        for name, content in [(task.output, made)] if isinstance(made, bytes) else made:
            write_atomically(out / name, content)
    except SegnextError as error:
        # Errors with arguments of their own do not survive the way between processes.
        raise type(error)(str(error)) from None


def _start_worker() -> None:
    import cv2

    cv2.setNumThreads(1)
    end_with_parent()
    # Ctrl-C reaches the whole group; the main process ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
