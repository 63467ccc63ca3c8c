"""Archives whose members are read one by one, each by its own position in the file.

Nothing is kept open: every reading opens the archive, takes one member and closes it again. So a
container can be used by many threads and survives a fork, and an archive can be replaced while
nobody reads. What an archive says about itself is checked before memory is asked for it.
"""

import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Protocol

from segnext.data.containers.tar_index import index_tar
from segnext.errors import DataError

MAX_MEMBER_BYTES = 4 << 30
# Beyond this size nothing that holds pictures or labels shrinks a hundredfold; zeros do.
_SUSPICIOUS_BYTES, _SUSPICIOUS_RATIO = 256 << 20, 100

_ENCRYPTED = 0x1
# Their unpacking cannot be stopped at a size, and hardly any zip of pictures has them.
_OTHER_PACKINGS = {9: "deflate64", 12: "bzip2", 14: "lzma", 93: "zstd", 95: "xz"}
_LOCAL_HEADER = struct.Struct("<4s22xHH")


class Container(Protocol):
    """A file whose members are reached as if it were a folder; members are relative, with `/`.

    Errors are about the member and do not name it; whoever knows the whole path puts it in front.
    """

    def names(self) -> tuple[str, ...]:
        """Return every member that is a file, sorted."""

    def size(self, name: str) -> int:
        """Return the bytes of a member; raises KeyError where there is none."""

    def read(self, name: str) -> bytes:
        """Return a member's content; raises KeyError where there is none.

        Raises:
            DataError: The member is broken or not to be trusted.
            OSError: The archive cannot be read.
        """

    def prefetch(self) -> None:
        """Start to make the members quick to read, where that takes time; returns at once."""


class ZipArchive:
    """Members of a zip file, stored or deflated.

    Args:
        path: The archive.

    Raises:
        DataError: It is no zip file, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bytes = path.stat().st_size
        try:
            with zipfile.ZipFile(path) as archive:
                infos = archive.infolist()
        except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as error:
            msg = f"cannot be opened as an archive ({error}); copy it again"
            raise DataError(msg) from None
        members = {member_name(info.filename): info for info in infos if not info.is_dir()}
        members.pop("", None)
        self._infos = members

    def names(self) -> tuple[str, ...]:
        """Return every member, sorted; see `Container`."""
        return tuple(sorted(self._infos))

    def size(self, name: str) -> int:
        """Return the bytes of a member; see `Container`."""
        return self._infos[name].file_size

    def read(self, name: str) -> bytes:
        """Return a member's content; see `Container`."""
        info = self._infos[name]
        _check_info(info)
        packed = self._read_packed(info)
        if info.compress_type == zipfile.ZIP_STORED:
            data = packed
        else:
            try:
                # One byte more than declared shows that there is more; no bomb gets further.
                data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, info.file_size + 1)
            except zlib.error as error:
                raise _damaged(str(error)) from None
        if len(data) != info.file_size:
            msg = f"it declares {info.file_size:,} bytes and holds others"
            raise _damaged(msg)
        if zlib.crc32(data) != info.CRC:
            msg = "its checksum is wrong"
            raise _damaged(msg)
        return data

    def prefetch(self) -> None:
        """Do nothing: a zip file is on disk."""

    def _read_packed(self, info: zipfile.ZipInfo) -> bytes:
        if info.header_offset + _LOCAL_HEADER.size + info.compress_size > self._bytes:
            msg = "it goes beyond the end of the archive"
            raise _damaged(msg)
        with self._path.open("rb") as file:
            file.seek(info.header_offset)
            header = file.read(_LOCAL_HEADER.size)
            if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\3\4"):
                msg = "it does not begin where the archive says"
                raise _damaged(msg)
            _, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
            file.seek(name_bytes + extra_bytes, 1)
            return file.read(info.compress_size)


class TarArchive:
    """Members of an uncompressed tar file.

    Args:
        path: The archive; its headers are read once, its members when they are asked for.

    Raises:
        DataError: It is no tar file, compressed, cut off, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        found = ((member_name(name), place) for name, *place in index_tar(path))
        # As tar unpacks it, the last of several members of one name counts.
        self._places = {name: (offset, size) for name, (offset, size) in found if name}

    def names(self) -> tuple[str, ...]:
        """Return every member, sorted; see `Container`."""
        return tuple(sorted(self._places))

    def size(self, name: str) -> int:
        """Return the bytes of a member; see `Container`."""
        return self._places[name][1]

    def read(self, name: str) -> bytes:
        """Return a member's content; see `Container`."""
        return read_piece(self._path, *self._places[name])

    def prefetch(self) -> None:
        """Do nothing: a tar file is on disk."""


def read_piece(path: Path, offset: int, size: int) -> bytes:
    """Read a part of a file.

    Args:
        path: The file.
        offset: Where the part begins, in bytes.
        size: Of the part, in bytes.

    Raises:
        DataError: The part is too large, or the file ends before it.
        OSError: The file cannot be read.
    """
    if size > MAX_MEMBER_BYTES:
        raise _too_large(size)
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(size)
    if len(data) != size:
        msg = f"only {len(data):,} of its {size:,} bytes are there"
        raise _damaged(msg)
    return data


def member_name(name: str) -> str:
    """Return a member's relative path with single `/`; empty for what does not belong there.

    What leads out of the archive is not in it. Mac archives carry a shadow of every file.
    """
    path = PurePosixPath(name)
    unwanted = path.is_absolute() or ".." in path.parts or "__MACOSX" in path.parts
    return "" if unwanted or not path.parts else path.as_posix()


def _check_info(info: zipfile.ZipInfo) -> None:
    if info.flag_bits & _ENCRYPTED:
        msg = "is encrypted; unpack the archive, or pack it again without a password"
        raise DataError(msg)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        kind = _OTHER_PACKINGS.get(info.compress_type, f"method {info.compress_type}")
        msg = f"is packed with {kind}, which is not read; pack the archive again with deflate"
        raise DataError(msg)
    if info.file_size > MAX_MEMBER_BYTES:
        raise _too_large(info.file_size)
    if info.file_size > max(_SUSPICIOUS_BYTES, _SUSPICIOUS_RATIO * info.compress_size):
        msg = (
            f"unpacks from {info.compress_size:,} to {info.file_size:,} bytes, as no picture or "
            f"label does; unpack the archive if you trust it"
        )
        raise DataError(msg)


def _too_large(size: int) -> DataError:
    return DataError(f"{size:,} bytes are more than a member may have, {MAX_MEMBER_BYTES:,}")


def _damaged(reason: str) -> DataError:
    return DataError(f"cannot be read from the archive ({reason}); copy the archive again")
