"""What `segnext runs` tells about where runs were done; see `segnext.training.environment`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def read_environment(run: Path) -> list[dict[str, Any]]:
    """Return the sessions of a run; none for runs of older versions."""
    from segnext.training.environment import ENVIRONMENT, read_sessions

    return read_sessions(run / ENVIRONMENT)


def flatten(sessions: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return the latest session as names and texts; empty without one."""
    if not sessions:
        return {}
    session = sessions[-1]
    hardware, git = session.get("hardware", {}), session.get("git")
    rows = {
        **session.get("versions", {}),
        "code": f"{git['commit'][:12]}{' and changes' if git['changed'] else ''}" if git else None,
        "system": hardware.get("system"),
        "cpu": hardware.get("cpu"),
        "cores": hardware.get("cores"),
        "gpus": ", ".join(hardware.get("gpus", ())) or None,
        "processes": session.get("processes"),
        "threads": session.get("threads"),
        "data files": session.get("data", {}).get("sha256", "")[:12] or None,
    }
    return {name: str(value) for name, value in rows.items() if value is not None}


def differing(runs: Sequence[Path]) -> dict[str, list[str | None]]:
    """Return what differs between the latest sessions of runs that tell where they were done."""
    rows = [flatten(read_environment(run)) for run in runs]
    names = dict.fromkeys(name for row in rows for name in row)
    table = {name: [row.get(name) for row in rows] for name in names}
    return {name: row for name, row in table.items() if any(value != row[0] for value in row)}
