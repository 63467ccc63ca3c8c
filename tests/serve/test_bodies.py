import base64
import json
from typing import Any

import pytest
from starlette.testclient import TestClient

MIXED = (
    '--b\r\nContent-Disposition: form-data; name="image"; filename="../../etc/a.png"\r\n\r\n'
    'x\r\n--b\r\nContent-Disposition: form-data; name="url"\r\n\r\nhttp://a/\r\n--b--\r\n'
)


def post(client: TestClient, body: Any, kind: str) -> tuple[int, str]:
    answer = client.post("/v1/predict", content=body, headers={"Content-Type": kind})
    return answer.status_code, answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "kind", "status", "line"),
    [
        (b"x", "text/plain", 415, "send multipart/form-data with a part named image, or"),
        (b"x", "application/x-www-form-urlencoded", 415, "send multipart/form-data"),
        (b"{", "application/json", 400, "the body is not JSON"),
        (b"[" * 200_000, "application/json", 400, "the body is not JSON"),
        (b"[]", "application/json", 400, 'the body must be {"image": BASE64} or {"url": URL}'),
        (b'{"image":"","url":""}', "application/json", 400, "the body must be"),
        (b'{"image": 3}', "application/json", 400, "image and url are texts"),
        (b'{"image": "data:image/png,x"}', "application/json", 400, "image is not base64; give"),
        (b'{"image": ""}', "application/json", 400, "the picture is empty; send the bytes"),
        (b"x", "multipart/form-data", 400, "the form cannot be read: Missing boundary"),
        (b"x", "multipart/form-data; boundary=b", 400, "the form"),
        (b"--b--\r\n", "multipart/form-data; boundary=b", 400, "the form needs one part: image"),
        (MIXED, "multipart/form-data; boundary=b", 400, "the form needs one part: image"),
    ],
)
def test_bodies_that_are_refused(
    client: TestClient, body: Any, kind: str, status: int, line: str
) -> None:
    answered, said = post(client, body, kind)
    assert answered == status
    assert said.startswith(line)


def test_too_large_by_its_length_and_by_its_bytes(make_client: Any, photo: bytes) -> None:
    client = make_client(max_bytes=2000)
    sent = json.dumps({"image": base64.b64encode(bytes(60_000)).decode()}).encode()
    status, said = post(client, sent, "application/json")
    assert status == 413
    assert said.startswith("the picture is too large: 80,")

    def chunks() -> Any:
        for _ in range(40):
            yield bytes(1000)

    assert post(client, chunks(), "application/json")[0] == 413
    answer = client.post("/v1/predict", files={"image": ("a.png", bytes(5000))})
    assert answer.json() == {
        "error": "the picture is too large: 5,000 bytes or more, this server takes 2,000"
    }


def test_pictures_beyond_a_megabyte_stay_in_memory(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tempfile

    def refuse(*_: Any, **__: Any) -> Any:
        msg = "a file was made"
        raise AssertionError(msg)

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    answer = client.post("/v1/predict", files={"image": ("a.png", b"GIF89a" + bytes(3_000_000))})
    assert answer.status_code == 415


def test_many_parts_are_refused(client: TestClient, photo: bytes) -> None:
    files = [("image", ("a.png", photo))] * 3
    answer = client.post("/v1/predict", files=files)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("the form cannot be read: Too many files")
