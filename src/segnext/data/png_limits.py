"""PNG files within bounds: chunks that fit into the file, and as many bytes as pixels need.

A chunk says its own length, up to 2 GiB and more, and a header of 25 bytes may declare any picture.
Decoders take the memory for both before they find that there is nothing to read.
"""

import struct
from collections.abc import Iterator

# Of deflate: no byte unpacks to more.
_MOST_UNPACKED = 1032
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type


def png_is_whole(data: bytes) -> bool:
    """Tell whether a PNG ends in the file, and can hold the picture that its header declares.

    Args:
        data: The whole file, with a header that was parsed.
    """
    width, height, bits, color_type = struct.unpack_from(">IIBB", data, 16)
    pixel_bits = bits * _CHANNELS.get(color_type, 1)
    packed = sum(length for kind, length, _ in _walk_chunks(data) if kind == b"IDAT")
    enough = width * height * pixel_bits <= 8 * _MOST_UNPACKED * packed
    return enough and png_end(data) <= len(data)


def png_end(data: bytes) -> int:
    """Return the length of a PNG by its chunks; more than that of the data if it is cut off."""
    for kind, _, end in _walk_chunks(data):
        if kind == b"IEND":
            return end
    return len(data) + 1


def _walk_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, length of the content and end of each chunk until one does not fit."""
    position = 8
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        position += 12 + int(length)
        if position > len(data):
            return
        yield kind, int(length), position
