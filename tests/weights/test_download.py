import hashlib
import random
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from segnext.errors import SegnextError, UsageError, WeightsError
from segnext.storage import cache_folder
from segnext.weights.download import fetch
from website import Website, serve

CONTENT = random.Random(0).randbytes(300_000)
HASH = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("SEGNEXT_OFFLINE", raising=False)


@pytest.fixture
def site() -> Iterator[Website]:
    with serve(CONTENT) as site:
        yield site


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "file.pth"


def left(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


@pytest.mark.parametrize("sha256", [HASH, HASH.upper(), HASH[:8], None])
def test_file_comes_whole(
    site: Website, target: Path, sha256: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    assert fetch(f"{site.url}/file.pth", target, sha256=sha256) == target
    assert target.read_bytes() == CONTENT
    assert left(target) == ["file.pth"]
    assert capfd.readouterr() == ("", "")  # no bar without a terminal


def test_progress_shows_on_a_terminal(
    site: Website, target: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    fetch(site.url, target)
    out, err = capsys.readouterr()
    assert out == ""
    assert "downloading file" in err


def test_broken_connection_is_resumed(site: Website, target: Path) -> None:
    site.breaks = [100_000, 50_000]
    fetch(site.url, target, sha256=HASH)
    assert target.read_bytes() == CONTENT
    assert site.asked_ranges() == [None, "bytes=100000-", "bytes=150000-"]
    assert [headers.get("If-Range") for headers in site.requests] == [None, '"one"', '"one"']


def test_file_that_changed_meanwhile_starts_over(site: Website, target: Path) -> None:
    site.breaks, site.later = [100_000], CONTENT[::-1]
    fetch(site.url, target)
    assert target.read_bytes() == CONTENT[::-1]
    assert site.requests[1]["If-Range"] == '"one"'


def test_weak_etags_prove_nothing_and_are_not_sent(site: Website, target: Path) -> None:
    site.breaks, site.etag = [100_000], 'W/"weak"'
    fetch(site.url, target, sha256=HASH)
    assert "If-Range" not in site.requests[1]


def test_server_without_ranges_sends_all_again(site: Website, target: Path) -> None:
    site.breaks, site.ranges = [100_000, 200_000], False
    fetch(site.url, target, sha256=HASH)
    assert target.read_bytes() == CONTENT
    assert site.asked_ranges() == [None, "bytes=100000-", "bytes=200000-"]


def test_wrong_range_is_not_appended(site: Website, target: Path) -> None:
    site.breaks, site.shift = [100_000], 7
    fetch(site.url, target, sha256=HASH)
    assert target.read_bytes() == CONTENT
    assert site.asked_ranges() == [None, "bytes=100000-", None]


def test_three_breaks_are_enough_and_the_next_download_goes_on(site: Website, target: Path) -> None:
    site.breaks = [100, 100, 100]
    message = r"failed 3 times \(the connection ended after 300 of 300,000 bytes\).*import-weights"
    with pytest.raises(WeightsError, match=message) as caught:
        fetch(site.url, target, sha256=HASH)
    assert str(caught.value).startswith(site.url)
    assert "\n" not in str(caught.value)
    assert left(target) == ["file.pth.part"]
    fetch(site.url, target, sha256=HASH)
    assert target.read_bytes() == CONTENT
    assert left(target) == ["file.pth"]
    assert site.asked_ranges()[-1] == "bytes=300-"


def test_nothing_unchecked_is_kept_for_later(site: Website, target: Path) -> None:
    site.breaks = [100, 100, 100]
    with pytest.raises(WeightsError, match="failed 3 times"):
        fetch(site.url, target)
    assert left(target) == []


@pytest.mark.parametrize("waiting", [CONTENT, CONTENT + b"more"])
def test_part_that_is_no_beginning_starts_over(site: Website, target: Path, waiting: bytes) -> None:
    target.parent.mkdir()
    target.with_name("file.pth.part").write_bytes(waiting)
    fetch(site.url, target, sha256=HASH)
    assert target.read_bytes() == CONTENT
    assert site.asked_ranges() == [f"bytes={len(waiting)}-", None]


@pytest.mark.parametrize("waiting", [b"", b"another beginning"])
def test_wrong_hash_is_thrown_away(site: Website, target: Path, waiting: bytes) -> None:
    target.parent.mkdir()
    target.with_name("file.pth.part").write_bytes(waiting)
    expected = HASH if waiting else "0123abcd"
    message = rf"another hash.*expected sha256 {expected}, got [0-9a-f]{{64}}; it was thrown away"
    with pytest.raises(WeightsError, match=message):
        fetch(site.url, target, sha256=expected)
    assert left(target) == []


@pytest.mark.parametrize(
    ("status", "asked", "message"),
    [
        (404, 1, "the server answers 404 Not Found; try again, or download it by hand"),
        (403, 1, "the server answers 403 Forbidden"),
        (503, 3, r"failed 3 times \(the server answers 503\)"),
    ],
)
def test_refusals(site: Website, target: Path, status: int, asked: int, message: str) -> None:
    site.status = status
    with pytest.raises(WeightsError, match=message) as caught:
        fetch(f"{site.url}/file.pth", target, sha256=HASH)
    assert f"{site.url}/file.pth" in str(caught.value)
    assert len(site.requests) == asked
    assert left(target) == []


def test_silent_server(site: Website, target: Path) -> None:
    site.silent = threading.Event()
    with pytest.raises(WeightsError, match=r"failed 3 times \(the server is silent\)"):
        fetch(site.url, target, sha256=HASH, timeout=0.05)
    assert left(target) == []


def test_no_connection(target: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/file.pth"
        with pytest.raises(WeightsError, match=r"no connection \(.*refused.*\); check the network"):
            fetch(url, target, sha256=HASH)
    assert left(target) == []


def test_an_older_file_stands_until_the_new_one_is_whole(site: Website, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"old")
    site.status = 404
    with pytest.raises(WeightsError, match="404"):
        fetch(site.url, target)
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize(
    "url",
    ["http://example.org/a.pth", "file:///etc/passwd", "ftp://localhost/a", "a.pth",
     "http://localhost.example.org/a"],
)  # fmt: skip
def test_other_urls_are_refused(url: str, target: Path) -> None:
    with pytest.raises(UsageError, match=r"only https:// is downloaded from"):
        fetch(url, target)
    assert not target.parent.exists()


def test_redirects_may_not_leave_for_other_urls(site: Website, target: Path) -> None:
    site.status, site.location = 302, "http://example.org/file.pth"
    with pytest.raises(UsageError, match=r"http://example\.org/file\.pth: only https"):
        fetch(site.url, target)
    assert left(target) == []


def test_redirects_are_followed(site: Website, target: Path) -> None:
    with serve(b"elsewhere") as other:
        site.status, site.location = 302, other.url
        assert fetch(site.url, target).read_bytes() == b"elsewhere"


def test_offline_switch(site: Website, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGNEXT_OFFLINE", "1")
    with pytest.raises(WeightsError, match="SEGNEXT_OFFLINE=1 forbids the network"):
        fetch(site.url, target)
    assert site.requests == []


def test_disk_that_refuses(site: Website, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(SegnextError, match=r"file.pth: cannot be written"):
        fetch(site.url, tmp_path / "file" / "file.pth")


def test_several_downloads_at_once(site: Website, target: Path) -> None:
    site.breaks = [1000, 2000]  # both may hit one of them
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(fetch, site.url, target, sha256=HASH) for _ in range(4)]
    assert [job.result() for job in jobs] == [target] * 4
    assert target.read_bytes() == CONTENT
    assert left(target) == ["file.pth"]


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("SEGNEXT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "segnext"
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/segnext")
    monkeypatch.setenv("SEGNEXT_CACHE", "~/own")
    assert cache_folder() == tmp_path / "own"
