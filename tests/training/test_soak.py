"""A few rounds of the soak of benchmarks/soak.py, which does hundreds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).resolve().parents[2] / "benchmarks" / "soak.py"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="forks, and sets limits of Linux")
@pytest.mark.parametrize(("pairs_every", "kills"), [("0", ("1", "3")), ("1", ("1",))])
def test_interrupted_runs_end_like_one_left_alone(
    tmp_path: Path, pairs_every: str, kills: tuple[str, ...]
) -> None:
    """Of one process, and of two, one of which is killed."""
    out = tmp_path / "soak.json"
    options = ["--steps", "4", "--pairs-every", pairs_every, "--out", str(out)]
    command = [sys.executable, str(SOAK), *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for least in kills:  # the second goes on with the first's result
        done = subprocess.run(
            [*command, "--kills", least],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        found = json.loads(out.read_text())
        assert found["interruptions"] >= int(least)
        assert found["problems"] == []
