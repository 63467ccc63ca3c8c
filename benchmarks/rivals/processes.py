"""The driver's side of a worker: start it, ask it, end it."""

import contextlib
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

WORKER = Path(__file__).with_name("worker.py")
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class LeftOutError(Exception):
    """A contestant that cannot take part; says why."""


class WorkerProcess:
    """A contestant's process, which waits for commands once it was built.

    Args:
        python: Of the environment.
        assignment: See `worker.Assignment`.
        wait_policy: How OpenMP's threads wait, OMP_WAIT_POLICY; the library's choice if not given.

    Attributes:
        description: What the worker said about itself.

    Raises:
        LeftOutError: It could not be started.
    """

    def __init__(
        self, python: str, assignment: dict[str, Any], wait_policy: str | None = None
    ) -> None:
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115  lives as long as this
        threads = str(assignment["threads"])
        # Set for everybody, before any library counts cores.
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        if wait_policy is not None:
            environment["OMP_WAIT_POLICY"] = wait_policy
        self._process = subprocess.Popen(
            [python, str(WORKER), json.dumps(assignment)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=environment,
        )
        try:
            first = self._read()
        except LeftOutError:
            self.close()
            raise
        if "left_out" in first:
            self.close()
            raise LeftOutError(first["left_out"])
        self.description: dict[str, Any] = first["ready"]

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send a command and wait for its answer.

        Raises:
            LeftOutError: The worker died of it.
        """
        assert self._process.stdin is not None
        try:
            print(json.dumps({"do": do, **arguments}), file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise LeftOutError(self._last_words()) from None
        return self._read()

    def cpu_seconds(self) -> float:
        """Return the processor time that the process has used, all threads together."""
        # proc(5), /proc/pid/stat: fields 14 and 15; the name before them may hold blanks.
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS

    def close(self) -> None:
        """End the process; twice is no error."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._log.close()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise LeftOutError(self._last_words())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _last_words(self) -> str:
        code = self._process.wait()
        self._log.seek(0)
        lines = self._log.read().splitlines() or ["it said nothing"]
        return f"ended with code {code}: {lines[-1]}"[:500]
