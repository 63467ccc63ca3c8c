"""Where a run was done: versions, state of the code, hardware, data.

`environment.json` holds one session for the start of a run and one for each time it went on.
"""

import hashlib
import json
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
import torch

from segnext.data import Folder
from segnext.storage import write_atomically

ENVIRONMENT = "environment.json"
_PACKAGES = ("segnext", "torch", "numpy", "opencv-python-headless", "safetensors", "accelerate")


def record_session(path: Path, data: Folder, *, step: int, processes: int) -> None:
    """Add a session to a run's `environment.json`; a start, at step 0, replaces what was there.

    Args:
        path: The file.
        data: Of the run.
        step: At which the session begins.
        processes: That train together.

    Raises:
        SegnextError: The disk or its permissions refuse.
    """
    session = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "step": step,
        "processes": processes,
        **describe_environment(),
        "data": {"pictures": sum(map(len, data.splits.values())), "sha256": hash_files(data)},
    }
    sessions = [*(read_sessions(path) if step else []), session]
    write_atomically(path, (json.dumps(sessions, indent=1) + "\n").encode())


def read_sessions(path: Path) -> list[dict[str, Any]]:
    """Return the sessions of a run, the first one first; none where nothing readable is there."""
    try:
        sessions = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return sessions if isinstance(sessions, list) else []


def describe_environment() -> dict[str, Any]:
    """Return versions, the state of the code in the working folder, and the hardware."""
    gpus = range(torch.cuda.device_count())
    return {
        "versions": {
            "python": platform.python_version(),
            **{name: version for name in _PACKAGES if (version := _version(name))},
            **({"cuda": torch.version.cuda} if torch.version.cuda else {}),
        },
        "git": find_git_state(Path.cwd()),
        "hardware": {
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "cpu": _cpu_name(),
            "cores": psutil.cpu_count(),
            "memory_bytes": psutil.virtual_memory().total,
            "gpus": [torch.cuda.get_device_name(index) for index in gpus],
        },
        "threads": torch.get_num_threads(),
    }


def find_git_state(folder: Path) -> dict[str, Any] | None:
    """Return `commit` of the repository around a folder and whether files were `changed` since.

    `None` outside a repository, and where git is not installed.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit, "changed": bool(_git(folder, "status", "--porcelain"))}


def hash_files(data: Folder) -> str:
    """Return the SHA-256 over split, name, place and mask of every picture, and the classes.

    Two runs with the same hash saw the same list of files; what is in them is not read.
    """
    digest = hashlib.sha256()
    for name, split in sorted(data.splits.items()):
        for item in split.items:
            row = [name, item.name, _place(item.image_path, data), _place(item.mask_path, data)]
            digest.update(json.dumps(row).encode())
    digest.update(json.dumps(data.classes.label_names).encode())
    return digest.hexdigest()


def _place(path: Path | None, data: Folder) -> str | None:
    """Return where a file lies in its data set, which may have been moved as a whole."""
    if path is None:
        return None
    return str(path.relative_to(data.root)) if path.is_relative_to(data.root) else str(path)


def _git(folder: Path, *words: str) -> str | None:
    command = ["git", "-C", str(folder), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _cpu_name() -> str:
    """Return the processor's name as its maker gives it, where the system tells it."""
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
