import hmac
from typing import Any

import pytest
from starlette.testclient import TestClient

from segnext.serve.gate import SECURITY_HEADERS

TOKEN = "0123456789abcdef"
PATHS = ["/", "/docs", "/page/page.css", "/v1/model", "/healthz", "/metrics", "/nothing"]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_the_headers(client: TestClient, path: str) -> None:
    answer = client.get(path)
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers[name] == value
    assert answer.headers["cache-control"] in ("no-store", "no-cache")
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("path", ["/v1/model", "/v1/example", "/metrics", "/nothing"])
@pytest.mark.parametrize(
    "shown",
    [None, "", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", TOKEN, "Bearer ü"],
)
def test_a_token_is_asked_for(make_client: Any, path: str, shown: str | None) -> None:
    client = make_client(token=TOKEN)
    headers = {} if shown is None else {"Authorization": shown.encode()}
    answer = client.get(path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json() == {"error": "this server needs its token: Authorization: Bearer TOKEN"}


def test_the_token_opens(make_client: Any, photo: bytes) -> None:
    client = make_client(token=TOKEN)
    shown = {"Authorization": f"Bearer {TOKEN}"}
    assert client.get("/v1/model", headers=shown).status_code == 200
    files = {"image": ("a.png", photo)}
    assert client.post("/v1/predict", files=files).status_code == 401
    assert client.post("/v1/predict", files=files, headers=shown).status_code == 200


def test_tokens_are_compared_in_constant_time(
    make_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client(token=TOKEN)
    monkeypatch.setattr(hmac, "compare_digest", lambda shown, token: shown == b"anything")
    for shown, code in (("anything", 200), (f"Bearer {TOKEN}", 401)):
        assert client.get("/v1/model", headers={"Authorization": shown}).status_code == code


def test_the_page_and_health_need_no_token(make_client: Any) -> None:
    client = make_client(token=TOKEN)
    for path in ("/", "/docs", "/page/app.js", "/healthz", "/openapi.json"):
        assert client.get(path).status_code == 200, path
    document = client.get("/openapi.json").json()
    assert document["paths"]["/v1/predict"]["post"]["security"] == [{"token": []}]
    assert "security" not in document["paths"]["/healthz"]["get"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example"])
def test_other_names_are_refused_on_loopback(client: TestClient, host: str) -> None:
    answer = client.get("/v1/model", headers={"Host": host})
    assert answer.status_code == 403
    assert answer.json()["error"].startswith("this server answers to localhost only")


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:8000"])
def test_loopback_names_pass(client: TestClient, host: str) -> None:
    assert client.get("/v1/model", headers={"Host": host}).status_code == 200


def test_other_names_pass_with_a_token_or_an_open_host(make_client: Any) -> None:
    shown = {"Authorization": f"Bearer {TOKEN}", "Host": "segnext.example"}
    assert make_client(token=TOKEN).get("/v1/model", headers=shown).status_code == 200
    opened = make_client(host="0.0.0.0")
    assert opened.get("/v1/model", headers={"Host": "segnext.example"}).status_code == 200


def test_pages_of_other_sites_cannot_ask(client: TestClient, photo: bytes) -> None:
    answer = client.post(
        "/v1/predict",
        files={"image": ("a.png", photo)},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status_code == 403
    assert answer.json() == {"error": "pages of other sites may not use this server"}
    assert client.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200
