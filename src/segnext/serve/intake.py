"""Bytes of a stranger to a picture: what can be checked is, before a pixel is decoded."""

import struct
from pathlib import Path

from segnext.data.headers import ImageHeader, broken_picture, parse_header
from segnext.data.images import Image, decode_image
from segnext.data.jpeg_limits import MOST_SCANS, has_too_many_scans
from segnext.data.png_limits import png_end
from segnext.errors import DataError
from segnext.serve.refusals import RefusalError
from segnext.serve.tiff_limits import check_tiff

# How messages call it: a client's file name is nobody's business here.
PICTURE = Path("picture")

_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ZIP_END, _ZIP_END_SIZE, _LONGEST_COMMENT = b"PK\x05\x06", 22, 65_535
_SCRIPT_MARKS = (b"<script", b"<html", b"<!doctype", b"<?php", b"<svg", b"%pdf-")
_HEAD = 1024


def check_picture(data: bytes, *, channels: int, max_pixels: int) -> ImageHeader:
    """Read a picture's header and refuse what must not be decoded.

    Args:
        data: The whole file.
        channels: That the model needs.
        max_pixels: Most that are decoded.

    Raises:
        RefusalError: 400 for a broken file, 413 for one too large, 415 for other kinds of
            files, 422 for a picture that the model cannot take.
    """
    if not data:
        raise RefusalError(
            400, "the picture is empty; send the bytes of a JPEG, PNG, WebP, BMP or TIFF"
        )
    if data.startswith(_TIFF_STARTS):
        check_tiff(data, max_pixels=max_pixels)
    try:
        header = parse_header(data, PICTURE)
    except DataError as error:
        raise RefusalError(_status_of(str(error)), str(error)) from None
    pixels = header.width * header.height
    if pixels > max_pixels:
        msg = (
            f"picture: {header.width} x {header.height} is {pixels:,} pixels, this server takes "
            f"{max_pixels:,}; make it smaller"
        )
        raise RefusalError(413, msg)
    if header.channels != channels and {header.channels, channels} != {1, 3}:
        msg = f"picture: has {header.channels} channels where the model needs {channels}"
        raise RefusalError(422, msg)
    _refuse_polyglot(data, header)
    if header.format == "jpeg" and has_too_many_scans(data):
        msg = f"picture: a JPEG of more than {MOST_SCANS} scans; save it anew"
        raise RefusalError(415, msg)
    return header


def decode_checked(data: bytes, header: ImageHeader, channels: int) -> Image:
    """Decode a picture that was checked, upright and with the model's channels.

    Raises:
        RefusalError: It is broken after all.
    """
    try:
        return decode_image(data, header, PICTURE, channels)
    except DataError as error:
        raise RefusalError(400, str(error)) from None


def _status_of(message: str) -> int:
    if "too large" in message:
        return 413
    return 415 if "not a JPEG" in message or "convert it" in message else 400


def _refuse_polyglot(data: bytes, header: ImageHeader) -> None:
    """Refuse a picture that is an archive, a document or a page as well."""
    head = data[:_HEAD].lower()
    twofold = any(mark in head for mark in _SCRIPT_MARKS) or _ends_as_archive(data)
    end = _find_end(data, header.format)
    if end > len(data):
        raise RefusalError(400, str(broken_picture(PICTURE)))
    if twofold or end < len(data):
        msg = "picture: the file is more than a picture; save it anew in a picture editor"
        raise RefusalError(415, msg)


def _ends_as_archive(data: bytes) -> bool:
    """Say whether a zip reader would find an archive: its end record is looked for backwards."""
    place = data.rfind(_ZIP_END, max(0, len(data) - _ZIP_END_SIZE - _LONGEST_COMMENT))
    if place < 0 or place + _ZIP_END_SIZE > len(data):
        return False
    (comment,) = struct.unpack_from("<H", data, place + 20)
    return bool(place + _ZIP_END_SIZE + comment <= len(data))


def _find_end(data: bytes, kind: str) -> int:
    """Return where a file must end by what it says; beyond its last byte if it is cut off.

    Phones put films and previews behind a JPEG, and a TIFF has no order: those may end anywhere.
    """
    if kind == "webp":
        (length,) = struct.unpack_from("<I", data, 4)
        return 8 + int(length) + int(length) % 2
    return png_end(data) if kind == "png" else len(data)
