"""Files from the network: resumed where they broke off, checked, and whole or not there.

Nothing but the standard library and the user's proxy settings. A download goes to a file of its
own process, is checked against its hash, and is renamed to its final name in one move. What a
broken connection leaves waits as `<name>.part`; the next download claims it by renaming, so that
two processes never write one file.
"""

import contextlib
import hashlib
import http.client
import os
import secrets
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from segnext import __version__
from segnext.errors import SegnextError, UsageError, WeightsError

ATTEMPTS = 3
CHUNK_BYTES = 1 << 18

_LOCAL = ("127.0.0.1", "localhost")
_BY_HAND = (
    "try again, or download it by hand and convert it with "
    "segnext import-weights FILE OUTPUT.safetensors"
)


class _BrokenError(Exception):
    """The connection broke or the server had a bad moment; another attempt may do."""


def fetch(url: str, path: str | Path, *, sha256: str | None = None, timeout: float = 30.0) -> Path:
    """Download a file, all or nothing.

    A broken connection is tried again, up to 3 times in all, from where it broke. With a hash, a
    download that another process left unfinished is resumed as well. A progress bar shows on
    standard error if that is a terminal.

    Args:
        url: `https://`; plain `http://` for 127.0.0.1 and localhost only, also after redirects.
        path: Where to write. Missing folders are made, an older file is replaced.
        sha256: Hash of the whole file in hex, or its first digits; not checked if `None`.
        timeout: Seconds to wait for the connection, and for each part of the answer.

    Returns:
        The path written.

    Raises:
        UsageError: Another kind of URL.
        WeightsError: `SEGNEXT_OFFLINE=1` is set, there is no connection, the server refuses, is
            silent or breaks off, or the file has another hash. Nothing lies at `path` then
            that was not there before.
        SegnextError: The disk refuses.
    """
    _check_url(url)
    if os.environ.get("SEGNEXT_OFFLINE") == "1":
        msg = f"{url}: not downloaded, SEGNEXT_OFFLINE=1 forbids the network; unset it to download"
        raise WeightsError(msg)
    path = Path(path)
    waiting = path.with_name(f"{path.name}.part")
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            if sha256 is not None:
                with contextlib.suppress(FileNotFoundError):
                    waiting.replace(part)
            _receive(url, part, timeout)
            _check_hash(url, part, sha256)
            part.replace(path)
        finally:
            if part.exists() and sha256 is not None:
                part.replace(waiting)
            part.unlink(missing_ok=True)
    except OSError as error:
        msg = f"{path}: cannot be written ({error.strerror or error}); free or change the disk"
        raise SegnextError(msg) from error
    return path


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL):
        return
    msg = f"{url}: only https:// is downloaded from, and http:// from this computer itself"
    raise UsageError(msg)


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects only to where a download may start as well."""

    def redirect_request(self, *args: Any) -> urllib.request.Request | None:
        _check_url(args[-1])
        return super().redirect_request(*args)


def _receive(url: str, part: Path, timeout: float) -> None:
    """Append to `part` until the file is whole, in as many attempts as are allowed."""
    etag = ""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with _open(url, part, etag, timeout) as response:
                etag = response.headers.get("ETag", "")
                _append(response, part)
            return
        except _BrokenError as error:
            if attempt == ATTEMPTS:
                msg = f"{url}: download failed {ATTEMPTS} times ({error}); {_BY_HAND}"
                raise WeightsError(msg) from error


def _open(url: str, part: Path, etag: str, timeout: float) -> http.client.HTTPResponse:
    start = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": f"segnext/{__version__}"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if etag and not etag.startswith("W/"):  # RFC 9110, 13.1.5: weak ones may not be used
            headers["If-Range"] = etag
    opener = urllib.request.build_opener(_CheckedRedirects())
    request = urllib.request.Request(url, headers=headers)
    try:
        response: http.client.HTTPResponse = opener.open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # what we have is no beginning of this file
            part.unlink()
        if error.code == 416 or error.code >= 500:
            msg = f"the server answers {error.code}"
            raise _BrokenError(msg) from error
        msg = f"{url}: the server answers {error.code} {error.reason}; {_BY_HAND}"
        raise WeightsError(msg) from error
    except urllib.error.URLError as error:
        msg = f"{url}: no connection ({error.reason}); check the network, {_BY_HAND}"
        raise WeightsError(msg) from error
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenError(_reason(error)) from error
    return response


def _append(response: http.client.HTTPResponse, part: Path) -> None:
    """Write an answer behind what is there; from the beginning if the server sends the whole."""
    start = part.stat().st_size if part.exists() else 0
    if response.status != 206:
        start = 0
    elif not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
        part.unlink(missing_ok=True)
        msg = "the server sends another part than asked"
        raise _BrokenError(msg)
    total = None if response.length is None else start + response.length
    console = Console(stderr=True)
    with (
        part.open("ab" if start else "wb") as file,
        Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        ) as progress,
    ):
        task = progress.add_task(f"downloading {part.name.split('.')[0]}", total=total)
        received = start
        for chunk in _read_chunks(response):
            file.write(chunk)
            received += len(chunk)
            progress.update(task, completed=received)
    if total is not None and received < total:
        msg = f"the connection ended after {received:,} of {total:,} bytes"
        raise _BrokenError(msg)


def _read_chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Read an answer; failures of the network, and they alone, become `_BrokenError`."""
    while True:
        try:
            chunk = response.read1(CHUNK_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise _BrokenError(_reason(error)) from error
        if not chunk:
            return
        yield chunk


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "the server is silent"
    return str(error) or type(error).__name__


def _check_hash(url: str, part: Path, sha256: str | None) -> None:
    if sha256 is None:
        return
    with part.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(sha256.lower()):
        part.unlink()
        msg = (
            f"{url}: the file has another hash than it should, expected sha256 {sha256}, got "
            f"{found}; it was thrown away, try again or ask where the hash comes from"
        )
        raise WeightsError(msg)
