import io
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import PIL.Image
import pytest

from segnext.errors import SegnextError, UsageError
from segnext.serve.running import name_weights, run_server, share_threads


@contextmanager
def running(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start `segnext serve`; gives the process and its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "segnext", "serve", *words, "--port", "0", "--backend", "folded"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        url = re.search(r"http://\S+", line)
        assert url, line + process.stderr.read()
        yield process, url[0]
    finally:
        process.kill()
        process.communicate()


def wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + 60
    while httpx.get(f"{url}/readyz").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def taken(url: str) -> int:
    found = re.search(r"^segnext_requests_taken (\d+)$", httpx.get(f"{url}/metrics").text, re.M)
    assert found
    return int(found[1])


def half_a_request(url: str, photo: bytes) -> tuple[socket.socket, bytes]:
    """Send a request but for its last bytes, which are returned."""
    host, port = url.removeprefix("http://").split(":")
    body = (
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
        + photo
        + b"\r\n--b--\r\n"
    )
    head = (
        f"POST /v1/predict HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    )
    connection = socket.create_connection((host, int(port)), timeout=30)
    connection.sendall(head.encode() + body[:-20])
    return connection, body[-20:]


def read_to_end(connection: socket.socket) -> bytes:
    answer = b""
    while chunk := connection.recv(65536):
        answer += chunk
    connection.close()
    return answer


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM ends a process at once there")
def test_sigterm_finishes_what_was_taken(scene_weights: Path, photo: bytes) -> None:
    with running(str(scene_weights), "--workers", "2") as (process, url):
        wait_until_ready(url)
        halves = [half_a_request(url, photo) for _ in range(8)]
        deadline = time.monotonic() + 60
        while taken(url) < 8:
            assert time.monotonic() < deadline
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert process.poll() is None
        for connection, rest in halves:
            connection.sendall(rest)
        answers = [read_to_end(connection) for connection, _ in halves]
        assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)
        masks = {answer.split(b"\r\n\r\n", 1)[1] for answer in answers}
        assert len(masks) == 1
        assert np.asarray(PIL.Image.open(io.BytesIO(masks.pop()))).size
        _, said = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "stopped; everything that was taken on is answered" in said
        assert "Traceback" not in said


def test_an_address_that_is_taken(make_service: Callable[..., Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SegnextError, match=rf"cannot listen on 127\.0\.0\.1:{port} \("):
            run_server(make_service(port=port))


def test_a_host_that_is_none(make_service: Callable[..., Any]) -> None:
    with pytest.raises(UsageError, match="cannot listen on no such host:8000"):
        run_server(make_service(host="no such host"))


def test_threads_are_shared() -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert share_threads(1, None) == cores
    assert share_threads(1000, None) == 1
    assert share_threads(2, 5) == 5


@pytest.mark.parametrize(
    "weights",
    ["a.safetensors", "/home/me/secret/a.safetensors", "https://a.org/x/a.safetensors?k=1#sha256"],
)
def test_clients_see_no_folders(weights: str) -> None:
    assert name_weights(weights) == "a.safetensors"
