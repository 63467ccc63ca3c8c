"""Where the members of a tar file lie, from its headers alone.

Python's own reader needs several times as long, ends in silence at the first damaged header, and
asks for as much memory as a header wants. Understood are the formats in use: ustar, GNU (long
names, sizes beyond octal) and pax.
"""

import mmap
from pathlib import Path

from segnext.errors import DataError

_BLOCK = 512
_ZEROS = bytes(_BLOCK)
_REGULAR = (b"0", b"\0", b"7")
# Links, devices and folders have no content, whatever their size says.
_WITHOUT_CONTENT = (b"1", b"2", b"3", b"4", b"5", b"6")
_LONG_NAME, _LONG_LINK, _SPARSE, _PAX, _PAX_GLOBAL = b"L", b"K", b"S", b"x", b"g"
# Of a long name or a pax header, in bytes; real ones have hundreds.
_MOST_EXTENDED = 1 << 20
# Behind the end mark writers fill up a record; more than that is another archive.
_CHECKED_TAIL = 1 << 20

_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}

Member = tuple[str, int, int]
"""Name as written, position of the content in bytes, and its size in bytes."""


def index_tar(path: Path) -> list[Member]:
    """Find the regular files of an uncompressed tar file.

    Returns:
        One entry for each, in the order of the archive; names may repeat or lead outside.

    Raises:
        DataError: It is no tar file, compressed, cut off, or damaged; says nothing of the path.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(8)
        packing = next((name for magic, name in _COMPRESSED.items() if start.startswith(magic)), "")
        if packing:
            msg = f"is compressed with {packing}, which allows no random access; unpack it to .tar"
            raise DataError(msg)
        if len(start) < 8:
            raise _cut_off()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _index(data)


def _index(data: mmap.mmap) -> list[Member]:
    members: list[Member] = []
    position = 0
    name, size = "", -1  # what an extended header says about the member after it
    while True:
        header = data[position : position + _BLOCK]
        if len(header) < _BLOCK:
            raise _cut_off()
        if header == _ZEROS:
            _check_tail(data, position)
            return members
        _check_sum(header, position)
        kind = header[156:157]
        stated = _number(header[124:136], position) if size < 0 else size
        content = position + _BLOCK
        length = 0 if kind in _WITHOUT_CONTENT else stated
        position = content + -(-length // _BLOCK) * _BLOCK
        if content + length > len(data):
            raise _cut_off()
        if kind in (_LONG_NAME, _PAX) and length > _MOST_EXTENDED:
            raise _no_header(content)
        if kind == _LONG_NAME:
            name = _text(data[content : content + length])
        elif kind == _PAX:
            found = _read_pax(data[content : content + length], content)
            name, size = found.get("path", name), _pax_size(found, content)
        elif kind not in (_LONG_LINK, _PAX_GLOBAL):
            if kind == _SPARSE:
                raise _sparse(content)
            written = name or _plain_name(header)
            if kind in _REGULAR and not written.endswith("/"):
                members.append((written, content, length))
            name, size = "", -1


def _check_sum(header: bytes, position: int) -> None:
    stated = _number(header[148:156], position)
    # The field counts as spaces; summing 512 bytes is the larger part of the work here.
    if sum(header) - sum(header[148:156]) + 8 * 32 != stated:
        raise _no_header(position)


def _check_tail(data: mmap.mmap, position: int) -> None:
    """Refuse what follows the end mark, since a reader that stops there would lose it silently."""
    tail = data[position : position + _CHECKED_TAIL]
    if tail.count(0) != len(tail):
        msg = "holds several tar files one behind the other; unpack them and make one archive"
        raise DataError(msg)


def _number(field: bytes, position: int) -> int:
    """Read a number: octal digits, or binary if its first bit is set."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError:
        raise _no_header(position) from None


def _plain_name(header: bytes) -> str:
    name = _text(header[:100])
    # GNU's headers have other things in the place of the prefix.
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _read_pax(records: bytes, position: int) -> dict[str, str]:
    """Read `length key=value` records; the length counts the whole record."""
    found: dict[str, str] = {}
    start = 0
    while start < len(records) and records[start]:
        digits = records[start : start + 20].split(b" ", 1)[0]
        length = int(digits) if digits.isdigit() else 0
        end = start + length
        if length < len(digits) + 3 or end > len(records):
            raise _no_header(position)
        key, _, value = records[start + len(digits) + 1 : end - 1].partition(b"=")
        found[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        start = end
    if any(key.startswith("GNU.sparse.") for key in found):
        raise _sparse(position)
    return found


def _pax_size(found: dict[str, str], position: int) -> int:
    text = found.get("size", "-1")
    if text == "-1" or (text.isascii() and text.isdigit() and len(text) < 20):
        return int(text)
    raise _no_header(position)


def _no_header(position: int) -> DataError:
    return DataError(f"is no tar file, or damaged at byte {position:,}; copy it again")


def _sparse(position: int) -> DataError:
    return DataError(f"holds a sparse file at byte {position:,}; pack it without tar --sparse")


def _cut_off() -> DataError:
    return DataError("is cut off: the mark of the end is missing; copy it again")
