"""Let contestants take turns, compare what they compute, and measure each one's memory."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from contestants import Contestant, reference_of
from processes import LeftOutError, WorkerProcess

from report import Entry, Heat

WARM_UP_ROUNDS = 2
PAUSE_SECONDS = 0.05


def take_turns(
    heat: Heat,
    contestants: Sequence[Contestant],
    outputs: Sequence[str],
    options: argparse.Namespace,
    folder: Path,
) -> None:
    """Start all, let them take turns, and compare what they compute."""
    workers: list[WorkerProcess] = []
    try:
        for contestant in contestants:
            worker = start(heat, contestant, outputs, options, folder)
            if worker is None:
                continue
            workers.append(worker)
            opened = worker.description.get("seconds_to_open", 0)
            print(f"{heat.name}: opened {contestant.name} in {opened:.0f} s", file=sys.stderr)
            heat.has_reference |= contestant is contestants[0]
            heat.entries.append(Entry(contestant, worker.description))
        began = time.perf_counter()
        used = [worker.cpu_seconds() for worker in workers]
        busy = 0.0
        for turn in range(WARM_UP_ROUNDS + options.rounds):
            print(f"{heat.name}: round {turn - WARM_UP_ROUNDS + 1}", file=sys.stderr)
            for output in outputs:
                for index, worker in enumerate(workers):
                    before = worker.cpu_seconds()
                    seconds = worker.ask("run", output=output)["seconds"]
                    busy += worker.cpu_seconds() - before
                    time.sleep(PAUSE_SECONDS)
                    if turn >= WARM_UP_ROUNDS:
                        heat.entries[index].seconds.setdefault(output, []).append(seconds)
        waited = sum(worker.cpu_seconds() for worker in workers) - sum(used) - busy
        heat.idle_share = waited / (time.perf_counter() - began)
        if "logits" in outputs:
            compare_numbers(heat.entries, workers, folder)
    finally:
        for worker in workers:
            worker.close()


def start(
    heat: Heat,
    contestant: Contestant,
    outputs: Sequence[str],
    options: argparse.Namespace,
    folder: Path,
) -> WorkerProcess | None:
    """Start a worker, or note why that is not possible."""
    pythons = {
        "segnext": sys.executable,
        "rivals": options.rivals_python,
        "vision": options.vision_python,
    }
    python = pythons[contestant.environment]
    if python is None:
        heat.left_out[contestant.name] = f"no --{contestant.environment}-python was given"
        return None
    height, width = map(int, options.size.split("x"))
    assignment: dict[str, Any] = {
        "network": contestant.network,
        "backend": contestant.backend,
        "form": contestant.form,
        "outputs": outputs,
        "batch": options.batch,
        "height": height,
        "width": width,
        "classes": options.classes,
        "threads": options.threads,
        "picture": options.picture,
        "weights": str(folder / f"{contestant.network.partition('/')[2]}.safetensors"),
    }
    try:
        return WorkerProcess(python, assignment, options.wait_policy)
    except LeftOutError as reason:
        heat.left_out[contestant.name] = str(reason)
        return None


def compare_numbers(
    entries: Sequence[Entry], workers: Sequence[WorkerProcess], folder: Path
) -> None:
    """Note how far each contestant's outputs are from its reference's."""
    by_name = {entry.contestant: worker for entry, worker in zip(entries, workers, strict=True)}
    for entry in entries:
        reference = by_name.get(reference_of(entry.contestant))
        if reference is None or reference is by_name[entry.contestant]:
            continue
        values = {}
        for side, worker in (("theirs", reference), ("own", by_name[entry.contestant])):
            for output in ("logits", "labels"):
                file = folder / "output.npy"
                worker.ask("save", output=output, file=str(file))
                values[side, output] = np.load(file)
        expected, found = values["theirs", "logits"], values["own", "logits"]
        entry.differences = {
            "logits": float(np.abs(found - expected).max()),
            "largest": float(np.abs(expected).max()),
            "labels": float((values["own", "labels"] == values["theirs", "labels"]).mean()),
        }


def measure_peaks(
    heat: Heat,
    contestants: Sequence[Contestant],
    outputs: Sequence[str],
    options: argparse.Namespace,
    folder: Path,
) -> Heat:
    """Measure each contestant's memory in a fresh process, one after the other."""
    entries = {entry.contestant: entry for entry in heat.entries}
    for contestant in contestants:
        worker = start(heat, contestant, outputs, options, folder)
        if worker is None:
            continue
        try:
            memory = worker.ask("measure_memory", output=outputs[0])
            entries.setdefault(contestant, Entry(contestant, worker.description)).memory = memory
            heat.has_reference |= contestant is contestants[0]
            print(f"{heat.name}: measured {contestant.name}: {memory}", file=sys.stderr)
        except LeftOutError as reason:
            heat.left_out[contestant.name] = str(reason)
        finally:
            worker.close()
    heat.entries = [entry for entry in entries.values() if entry.memory]
    return heat
