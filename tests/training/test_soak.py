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
def test_interrupted_runs_end_like_one_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "soak.json"
    command = [sys.executable, str(SOAK), "--steps", "4", "--no-pairs", "--out", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for kills in ("1", "3"):  # the second goes on with the first's result
        done = subprocess.run(
            [*command, "--kills", kills],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        found = json.loads(out.read_text())
        assert found["interruptions"] >= int(kills)
        assert found["problems"] == []
