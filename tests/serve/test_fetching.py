import socket
import threading
import time
from typing import Any

import pytest

from segnext.serve.fetching import fetch_picture, is_public
from segnext.serve.refusals import RefusalError
from website import serve


def fetch(url: str, **options: Any) -> bytes:
    chosen = {"max_bytes": 1000, "timeout_s": 5.0, "allows": lambda _: True, **options}
    return fetch_picture(url, **chosen)


def refuse(url: str, **options: Any) -> tuple[int, str]:
    with pytest.raises(RefusalError) as caught:
        fetch(url, **options)
    return caught.value.status, caught.value.message


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",
        "100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0",
        "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1",
        "ff02::1", "192.0.2.1", "198.18.0.1",
    ],
)  # fmt: skip
def test_private_addresses(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://a/", "gopher://a/", "//a/b", "a.png", "", "http://", "http:///a",
        "http://a b/", "http://a/\r\nX: y", "http://a:99999/", "http://bücher/", "http://[::1/",
        "http://a/" + "x" * 2048,
    ],
)  # fmt: skip
def test_other_addresses(url: str) -> None:
    assert refuse(url) == (400, "url: give an http or https address, percent-encoded")


def test_credentials_are_not_sent() -> None:
    assert refuse("http://me:secret@a/")[1] == "url: names and passwords in it are not sent"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://localhost/", "http://[::1]/", "http://2130706433/",
        "http://0x7f.1/", "http://does-not-exist.invalid/", "http://8.8.8.8:22/",
    ],
)  # fmt: skip
def test_the_answer_does_not_tell_what_lies_there(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("connected"))
    expected = (400, "url: not a public address on port 80 or 443")
    assert refuse(url, allows=is_public) == expected


def test_all_addresses_of_a_name_must_be_public(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [(0, 0, 0, "", ("8.8.8.8", 80)), (0, 0, 0, "", ("10.0.0.1", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: entries)
    assert refuse("http://two.example/", allows=is_public)[0] == 400


def test_a_picture_comes() -> None:
    with serve(b"picture") as site:
        assert fetch(f"{site.url}/a.png?size=1") == b"picture"
        assert site.requests[0]["Host"] == site.url.removeprefix("http://")
        assert "Authorization" not in site.requests[0]


def test_what_is_too_large_is_not_read() -> None:
    with serve(bytes(5000)) as site:
        assert refuse(site.url) == (413, "url: more than the 1,000 bytes that this server takes")


def test_redirects_are_not_followed() -> None:
    with serve(b"") as site:
        site.status, site.location = 302, "http://169.254.169.254/"
        assert refuse(site.url)[1] == (
            "url: answered 302; give one that answers with a picture itself"
        )
        assert len(site.requests) == 1


def test_silence_ends() -> None:
    with serve(b"") as site:
        site.silent = threading.Event()
        begin = time.monotonic()
        assert refuse(site.url, timeout_s=0.3) == (422, "url: no answer")
        assert time.monotonic() - begin < 3


def test_a_closed_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert refuse(f"http://127.0.0.1:{port}/") == (422, "url: no answer")
