"""Servers that tests start in processes of their own."""

import socket
from urllib.error import URLError
from urllib.request import urlopen


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
