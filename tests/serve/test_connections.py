"""Clients that are slow, go away, or send more than is read, on real connections."""

import re
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest

from segnext.predict import Predictor


class Gated:
    """A predictor that lets its first picture through, the example, and then waits."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        self.spec, self.backend, self.protocol = (
            predictor.spec,
            predictor.backend,
            predictor.protocol,
        )
        self.go, self.begun, self.seen = threading.Event(), threading.Event(), 0

    def predict_batch(self, images: Sequence[Any]) -> Any:
        self.seen += 1
        if self.seen > 1:
            self.begun.set()
            self.go.wait(20)
        return self.predictor.predict_batch(images)


def gauge(url: str, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", httpx.get(f"{url}/metrics").text, re.MULTILINE)
    assert found
    return float(found[1])


def wait_for(url: str, name: str, value: float) -> None:
    deadline = time.monotonic() + 10
    while gauge(url, name) != value:
        assert time.monotonic() < deadline, name
        time.sleep(0.02)


def start_request(url: str, body: bytes, length: int) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    connection.sendall(
        f"POST /v1/predict HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {length}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n".encode()
        + body
    )
    return connection


def make_body(photo: bytes) -> bytes:
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    return head + photo + b"\r\n--b--\r\n"


def test_a_body_that_never_ends_is_refused(start_live: Callable[..., str], photo: bytes) -> None:
    url = start_live(timeout_s=0.4)
    connection = start_request(url, make_body(photo)[:100], 5000)
    answer = connection.recv(4096)
    connection.close()
    assert answer.startswith(b"HTTP/1.1 408")
    wait_for(url, "segnext_requests_taken", 0)


def test_who_goes_away_gives_the_place_back(
    start_live: Callable[..., str], predictor: Predictor, photo: bytes
) -> None:
    gated = Gated(predictor)
    url = start_live([gated], queue=2, batch=1)
    body = make_body(photo)
    first = start_request(url, body, len(body))
    assert gated.begun.wait(10)
    second = start_request(url, body, len(body))
    third = start_request(url, body[:50], len(body))
    wait_for(url, "segnext_requests_taken", 3)
    second.close()
    third.close()
    wait_for(url, "segnext_requests_taken", 1)
    gated.go.set()
    assert first.recv(4096).startswith(b"HTTP/1.1 200")
    first.close()
    wait_for(url, "segnext_pictures_waiting", 0)
    assert gated.seen == 2


@pytest.mark.parametrize("size", [5000, 300_000])
def test_a_refusal_reaches_who_is_still_sending(start_live: Callable[..., str], size: int) -> None:
    url = start_live(max_bytes=2000)
    answer = httpx.post(f"{url}/v1/predict", files={"image": ("a.png", bytes(size))})
    assert answer.status_code == 413
    assert answer.json()["error"].startswith("the picture is too large")
