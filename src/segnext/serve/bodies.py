"""The body of a request to the bytes of a picture, within bounds and in memory only."""

import asyncio
import base64
import binascii
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from segnext.serve.refusals import RefusalError

_MOST_FIELDS = 8


class _InMemory(MultiPartParser):
    """Starlette writes parts beyond a megabyte to a temporary file; our bodies are bounded."""

    spool_max_size = 1 << 40

    def close(self) -> None:
        """Close all files, also that of a part which a body that ends too early left open."""
        for file in self._files_to_close_on_error:
            file.close()


async def read_picture(request: Request, *, max_body: int, max_bytes: int) -> bytes | str:
    """Read what a client sent.

    Args:
        request: Its body is read here.
        max_body: Most bytes of the body.
        max_bytes: Most bytes of the picture in it.

    Returns:
        The bytes of the picture, or the URL that stands for it.

    Raises:
        RefusalError: 400 for a body that cannot be read, 413 for one too large, 415 for others.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in ("multipart/form-data", "application/json"):
        msg = (
            "send multipart/form-data with a part named image, or application/json with image in "
            "base64"
        )
        raise RefusalError(415, msg)
    _check_length(request, max_body)
    chunks = _bounded(request, max_body)
    if kind == "application/json":
        body = b"".join([chunk async for chunk in chunks])
        # Tens of megabytes of base64 would hold up everybody else.
        sent = await asyncio.to_thread(_read_json, body)
    else:
        sent = await _read_form(request, chunks)
    if isinstance(sent, bytes) and len(sent) > max_bytes:
        raise _too_large(len(sent), max_bytes)
    return sent


async def drain(request: Request, most: int) -> None:
    """Read on and throw away, so that a client that is still sending gets to read its refusal."""
    seen = 0
    try:
        async for chunk in request.stream():
            seen += len(chunk)
            if seen > most:
                return
    except (RuntimeError, ClientDisconnect):  # it was read to its end already, or nobody is left
        return


def _check_length(request: Request, max_body: int) -> None:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_body:
        raise _too_large(int(declared), max_body)


async def _bounded(request: Request, max_body: int) -> AsyncGenerator[bytes, None]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_body:
            raise _too_large(size, max_body)
        yield chunk


def _too_large(size: int, most: int) -> RefusalError:
    msg = f"the picture is too large: {size:,} bytes or more, this server takes {most:,}"
    return RefusalError(413, msg)


def _read_json(body: bytes) -> bytes | str:
    try:
        content: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise RefusalError(400, "the body is not JSON") from None
    if not isinstance(content, dict) or len({"image", "url"} & content.keys()) != 1:
        raise RefusalError(400, 'the body must be {"image": BASE64} or {"url": URL}')
    value = content.get("image", content.get("url"))
    if not isinstance(value, str):
        raise RefusalError(400, "image and url are texts")
    if "url" in content:
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        msg = "image is not base64; give the file's bytes alone, without data: before them"
        raise RefusalError(400, msg) from None


async def _read_form(request: Request, chunks: AsyncIterator[bytes]) -> bytes | str:
    async def stream() -> AsyncGenerator[bytes, None]:
        async for chunk in chunks:
            yield chunk

    try:
        parser = _InMemory(
            request.headers, stream(), max_files=1, max_fields=_MOST_FIELDS, max_part_size=16_384
        )
        form = await parser.parse()
    except MultiPartException as error:
        raise RefusalError(400, f"the form cannot be read: {error.message}") from None
    except (KeyError, ValueError):
        raise RefusalError(
            400, "the form cannot be read: it names no boundary, or breaks it"
        ) from None
    image, url = form.get("image"), form.get("url")
    try:
        if isinstance(image, UploadFile) and url is None:
            return await image.read()
    finally:
        parser.close()
    if isinstance(url, str) and image is None:
        return url
    raise RefusalError(400, "the form needs one part: image, a file, or url")
