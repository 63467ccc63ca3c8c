"""Servers that tests start in processes of their own."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

_LONGEST_S = 240


class ServerError(Exception):
    """A server ended, or answers nothing; what it said."""


def start_server(
    words: Sequence[str],
    port: int,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[str]:
    """Run a command that serves in the foreground, as readers do; return once it answers.

    Raises:
        ServerError: It ends, or does not answer in time.
    """
    server = subprocess.Popen(
        words,
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    until = time.monotonic() + _LONGEST_S
    while not is_ready(port):
        if server.poll() is not None or time.monotonic() > until:
            said = end_server(server)
            msg = f"is not ready\n{said}"
            raise ServerError(msg)
        time.sleep(0.1)
    return server


def end_server(server: subprocess.Popen[str]) -> str:
    """End a server and its children, as Ctrl-C does; return what it said."""
    if server.poll() is None:
        os.killpg(server.pid, signal.SIGINT)
    return server.communicate(timeout=_LONGEST_S)[0]


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_ready(port: int) -> bool:
    """Whether a server of ours has its model ready."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
            return True
    except (URLError, TimeoutError, ConnectionError):
        return False
