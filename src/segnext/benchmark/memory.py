"""Peak memory of a run above the idle process, measured in a process of its own.

In a process that did other things before, a run fills what those left behind, and its peak cannot
be told from theirs. "Idle" is: the model is built, no input is there yet. Libraries that are
loaded, kernels that are generated and code that is compiled at the first run count with it.
"""

import ctypes
import gc
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import psutil
import torch

from segnext.errors import SegnextError

_MB = 1e6

Run = Callable[[], object]


@dataclass(frozen=True)
class PeakMemory:
    """Memory of one process, of its CUDA device where it has one.

    Attributes:
        idle_mb: Before the run [10**6 bytes].
        peak_mb: The most during the run [10**6 bytes].
        exact: Whether the peak is the run's alone. Where the system cannot forget older peaks, it
            may be that of building the model: an upper bound.
    """

    idle_mb: float
    peak_mb: float
    exact: bool

    @property
    def above_idle_mb(self) -> float:
        """What the run needs [10**6 bytes]."""
        return max(0.0, self.peak_mb - self.idle_mb)


def measure_peak(prepare: Callable[[], Run], device: torch.device) -> PeakMemory:
    """Start a process, let it prepare and run once, and return its memory.

    Args:
        prepare: Builds everything but the input, and returns what makes the input and runs.
            Picklable, so of a module that the new process can import.
        device: CPU for the process's resident memory, CUDA for what torch holds there.

    Raises:
        SegnextError: The process died, most likely for want of memory.
        Exception: Whatever preparing or running raises.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        try:
            return executor.submit(_measure_here, prepare, device).result()
        except BrokenProcessPool as error:
            msg = "the process that should measure memory died; it may have run out of memory"
            raise SegnextError(msg) from error


def _measure_here(prepare: Callable[[], Run], device: torch.device) -> PeakMemory:
    run = prepare()
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        idle = torch.cuda.memory_allocated(device)
        run()
        torch.cuda.synchronize(device)
        return PeakMemory(idle / _MB, torch.cuda.max_memory_allocated(device) / _MB, exact=True)
    _give_back_free_memory()
    exact = _forget_peak()
    idle = psutil.Process().memory_info().rss
    run()
    return PeakMemory(idle / _MB, peak_resident_bytes() / _MB, exact)


def _give_back_free_memory() -> None:
    # What building the model left free in the heap would be filled first, and hide the run's need.
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "malloc_trim"):  # glibc's
            library.malloc_trim(0)


def _forget_peak() -> bool:
    """Set the peak back to what is resident now; tell whether that was possible."""
    if sys.platform != "linux":
        return False
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def peak_resident_bytes() -> int:
    """Return the most memory that this process has held."""
    if sys.platform == "linux":
        # Not ru_maxrss: a process inherits it from the one that started it.
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return 1024 * int(line.split()[1])
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
