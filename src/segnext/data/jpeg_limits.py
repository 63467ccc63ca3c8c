"""JPEG files within bounds: a picture may be stored in scans, each of which touches every pixel.

Cameras write one scan and progressive encoders about ten. A file of some megabytes has room for
tens of thousands, which keep a decoder busy for minutes.
"""

import re
import struct

MOST_SCANS = 64
# Within pixels, 0xFF is followed by 0, or by a restart marker; before a marker it may be repeated.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_SCAN, _END = 0xDA, 0xD9


def has_too_many_scans(data: bytes) -> bool:
    """Tell whether a JPEG has more than `MOST_SCANS` scans.

    Args:
        data: The whole file, with a header that was parsed.
    """
    position, scans = 2, 0
    while (found := _MARKER.search(data, position)) and data[found.start() + 1] != _END:
        scans += data[found.start() + 1] == _SCAN
        if scans > MOST_SCANS:
            return True
        position = found.end()
        if position + 2 > len(data):
            return False
        (length,) = struct.unpack_from(">H", data, position)
        position += int(length)
    return False
