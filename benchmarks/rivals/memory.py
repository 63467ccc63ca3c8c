"""Resident memory of this process, and its peak since a moment of one's choice (Linux)."""

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

MEGABYTE = 1e6


def measure_memory(draw: Callable[[], Any], run: Callable[[Any], object]) -> dict[str, float]:
    """Run twice on what is drawn; return the idle memory and both runs' peaks [MB].

    The process is idle until the input is drawn, so the input counts.
    """
    settle()
    idle = resident_mb()
    peaks = []
    drawn = None
    for _ in range(2):
        forget_peak()
        drawn = draw() if drawn is None else drawn
        run(drawn)
        peaks.append(peak_mb())
    return {"idle_mb": idle, "first_mb": peaks[0], "next_mb": peaks[1]}


def settle() -> None:
    """Give back what is free already, so that later work cannot hide in it."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


def resident_mb() -> float:
    """Return resident memory [MB]."""
    return _status("VmRSS")


def peak_mb() -> float:
    """Return the highest resident memory since `forget_peak` [MB]."""
    return _status("VmHWM")


def forget_peak() -> None:
    """Start the peak anew from what is resident now."""
    # proc(5), /proc/pid/clear_refs: 5 resets the peak resident set size.
    Path("/proc/self/clear_refs").write_text("5")


def _status(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024 / MEGABYTE
    raise RuntimeError(f"/proc/self/status has no {field}")
