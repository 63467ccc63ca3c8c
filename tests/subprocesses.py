"""Runtimes of others, each in a process of its own: they warn, spawn threads and stay loaded."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent


def run_python(code: str, *arguments: object) -> Any:
    """Run code that prints one line of JSON last, with the tests' modules at hand; return that."""
    start = f"import sys; sys.path.insert(0, {str(TESTS)!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", start + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.returncode, done.stderr[-3000:])
    return json.loads(done.stdout.splitlines()[-1])
