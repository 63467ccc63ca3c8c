"""Fuzz every reader of untrusted bytes, each in a process of its own, and count.

    PYTHONPATH=src:tests python -m fuzz.run --seconds 600 --out fuzz.json [--only coco,png]
    PYTHONPATH=src:tests python -m fuzz.run --guided --seconds 600  # by coverage; see fuzz.guided

An input is a finding if its reader raises anything but an error of the package, uses more than
five seconds of processor time, or takes a gigabyte beyond what it had. Findings are kept beside
the report, to be read again.
"""

import argparse
import faulthandler
import json
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

from fuzz.target import Target

MOST_CPU_S = 5.0
MOST_MEMORY = 1 << 30
# Address space is not memory: mapped files and stacks of threads count for it as well.
MOST_ADDRESSES = 4 << 30
# Tried however little time there is.
LEAST_INPUTS = 20
# Findings of one place that are kept; the others are counted.
KEPT = 3


def find_target(name: str) -> Target:
    """Return a target by name; loads torch only for one that needs it."""
    for module in ("fuzz.broken_targets", "fuzz.data_targets", "fuzz.model_targets"):
        targets = import_module(module).TARGETS
        found = next((target for target in targets if target.name == name), None)
        if found is not None:
            return found
    raise KeyError(name)


def fuzz(name: str, first: int, until: float, folder: Path, cpu_s: float, memory: int) -> None:
    """Try inputs of a target until a time; runs in the child.

    Args:
        name: Of the target.
        first: Number of the first input.
        until: By `time.monotonic`.
        folder: Gets `current` (number of the input being read), its bytes as `input`, `state.json`
            and findings.
        cpu_s: Most processor time of an input.
        memory: Most bytes beyond what the process has before.
    """
    target = find_target(name)
    seeds = target.seeds()
    work = folder / "work"
    work.mkdir(exist_ok=True)
    target.prepare(work)
    for seed in seeds:  # also loads what the reader imports late
        target.try_input(work, seed if target.encode is None else target.encode(seed))
    _limit()
    state: dict[str, Any] = {"tried": 0, "taken": 0, "findings": {}, "slowest_s": 0.0}
    number = first
    while time.monotonic() < until or state["tried"] < LEAST_INPUTS:
        (folder / "current").write_text(str(number))
        data = target.make_input(seeds, Random(number))
        (folder / "input").write_bytes(data)
        _forget_peak()
        before = _peak()
        started = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, cpu_s)
        try:
            state["taken"] += target.try_input(work, data)
        except Exception as error:  # what this is for
            _note(state, folder, number, data, error)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        state["slowest_s"] = max(state["slowest_s"], time.process_time() - started)
        state["tried"] += 1
        number += 1
        if _peak() - before > memory:
            grown = MemoryError(f"{(_peak() - before) >> 20} MiB")
            _note(state, folder, number - 1, data, grown)
            break
        if state["tried"] % 20 == 0:
            (folder / "state.json").write_text(json.dumps(state))
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "current").write_text(str(number))


def _limit() -> None:
    """Let the system end this process where a reader hangs in C, and refuse absurd amounts."""
    faulthandler.enable()
    faulthandler.register(signal.SIGPROF, chain=True)
    limit_addresses()


def limit_addresses() -> None:
    """Let what takes absurd amounts of memory fail."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MOST_ADDRESSES
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))


def _peak() -> int:
    # Not ru_maxrss, which begins with what the process that started this one once held.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def _forget_peak() -> None:
    """Make the peak what is held now: inputs of many megabytes took more while they were made."""
    Path("/proc/self/clear_refs").write_text("5")


def _note(state: dict[str, Any], folder: Path, number: int, data: bytes, error: Exception) -> None:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "segnext" in f.filename]
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    key = f"{type(error).__name__} at {where}"
    entry = state["findings"].setdefault(key, {"count": 0, "inputs": [], "message": ""})
    entry["count"] += 1
    if len(entry["inputs"]) < KEPT:
        (folder / f"finding-{number}").write_bytes(data)
        entry["inputs"].append(number)
        entry["message"] = str(error)[:200]
    (folder / "state.json").write_text(json.dumps(state))


def fuzz_in_child(
    name: str,
    seconds: float,
    folder: Path,
    *,
    first: int = 0,
    cpu_s: float = MOST_CPU_S,
    memory: int = MOST_MEMORY,
) -> dict[str, Any]:
    """Fuzz a target in a process of its own, started again after each crash or hang.

    Returns:
        `tried`, `taken`, `slowest_s` and `findings`, whose keys say what and where.
    """
    folder.mkdir(parents=True, exist_ok=True)
    total: dict[str, Any] = {"tried": 0, "taken": 0, "slowest_s": 0.0, "findings": {}}
    until = time.monotonic() + seconds
    number = first
    while number == first or time.monotonic() < until:
        for left in ("state.json", "current"):
            (folder / left).unlink(missing_ok=True)
        told = f"{name!r}, {number}, {until}, pathlib.Path({str(folder)!r}), {cpu_s}, {memory}"
        code = f"import pathlib; from fuzz.run import fuzz; fuzz({told})"
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds + 600,
        )
        if not (folder / "current").exists():
            raise RuntimeError(f"{name}: {done.stderr[-2000:]}")
        at = int((folder / "current").read_text())
        if (folder / "state.json").exists():
            _add(total, json.loads((folder / "state.json").read_text()))
        total["tried"] += at - number
        if done.returncode:
            lines = [line.strip() for line in done.stderr.splitlines() if "segnext" in line]
            where = lines[0] if lines else " ".join(done.stderr[-300:].split())
            kind = "hang" if done.returncode == -signal.SIGPROF else f"exit {done.returncode}"
            found = {"count": 1, "inputs": [at], "message": where}
            _add(total, {"findings": {f"{kind} at {where}": found}})
            (folder / "input").rename(folder / f"finding-{at}")
            total["tried"] += 1
            at += 1
        number = at
    return total


def fuzz_guided(name: str, seconds: float, folder: Path) -> dict[str, Any]:
    """Fuzz a target guided by coverage, up to its first finding; see `fuzz.guided`.

    Returns:
        `tried` and `findings`, whose keys say what.
    """
    folder.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={max(1, round(seconds))}",
        f"-artifact_prefix={folder}/finding-",
        "-print_final_stats=1",
    ]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "fuzz.guided", name, *options],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds + 600,
    )
    tried = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    if tried is None and not list(folder.glob("finding-*")):
        raise RuntimeError(f"{name}: {done.stderr[-2000:]}")
    findings = {}
    if done.returncode:
        raised = re.search(r"Uncaught Python exception: ===\s*(.+)", done.stdout + done.stderr)
        said = raised or re.search(r"SUMMARY: libFuzzer: (.+)", done.stderr)
        key = said[1].strip()[:200] if said else f"exit {done.returncode}"
        findings[key] = {"count": 1, "inputs": [], "message": done.stderr[-2000:]}
    return {"tried": int(tried[1]) if tried else 0, "findings": findings}


def _add(total: dict[str, Any], part: dict[str, Any]) -> None:
    total["taken"] += part.get("taken", 0)
    total["slowest_s"] = max(total["slowest_s"], part.get("slowest_s", 0.0))
    for key, entry in part["findings"].items():
        known = total["findings"].setdefault(key, {"count": 0, "inputs": [], "message": ""})
        known["count"] += entry["count"]
        known["inputs"] = [*known["inputs"], *entry["inputs"]][:KEPT]
        known["message"] = entry["message"]


def main() -> int:
    """Fuzz all targets in turn; return 1 if there are findings."""
    from fuzz import data_targets, model_targets

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="for all targets together")
    parser.add_argument("--out", type=Path, default=Path("fuzz.json"))
    parser.add_argument("--only", default="", help="names of targets, with commas")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--guided", action="store_true", help="by coverage; pip install atheris")
    told = parser.parse_args()
    only = set(filter(None, told.only.split(",")))
    targets = (*data_targets.TARGETS, *model_targets.TARGETS)
    names = [target.name for target in targets if not only or target.name in only]
    report = {}
    for name in names:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            seconds = told.seconds / len(names)
            if told.guided:
                report[name] = fuzz_guided(name, seconds, folder)
            else:
                report[name] = fuzz_in_child(name, seconds, folder, first=told.first)
            kept = told.out.with_suffix("") / name.replace(" ", "_")
            for path in folder.glob("finding-*"):
                kept.mkdir(parents=True, exist_ok=True)
                path.rename(kept / path.name)
        told.out.write_text(json.dumps(report, indent=1))
        entry = report[name]
        print(
            f"{name:20} {entry['tried']:8,} inputs  {len(entry['findings'])} findings", flush=True
        )
    return int(any(entry["findings"] for entry in report.values()))


if __name__ == "__main__":
    sys.exit(main())
