import pytest

from segnext.errors import UsageError
from segnext.serve.settings import Settings


def test_loopback_is_the_default() -> None:
    assert Settings().is_loopback
    assert Settings(host="::1").is_loopback
    assert Settings(host="localhost").is_loopback
    assert not Settings(host="0.0.0.0").is_loopback
    assert not Settings(host="example.org").is_loopback


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"workers": 0}, "workers must be 1 or more, got 0"),
        ({"queue": -1}, "queue must be 0 or more, got -1"),
        ({"max_pixels": 10}, "max_pixels must be 1024 or more, got 10"),
        ({"port": 70000}, "port must be 0 to 65535, got 70000"),
        ({"timeout_s": 0.0}, r"timeout must be 0.1 to 3600 seconds, got 0\.0"),
        ({"token": "short"}, "the token must have 16 characters or more"),
        ({"token": "schlüssel-schlüssel"}, "the token must be printable ASCII"),
    ],
)
def test_what_is_out_of_range(wrong: dict[str, object], line: str) -> None:
    with pytest.raises(UsageError, match=line):
        Settings(**wrong)  # type: ignore[arg-type]


def test_a_body_has_room_for_base64() -> None:
    assert Settings(max_bytes=3000).max_body == 4000 + 16_384
