"""JPEG files within bounds: a picture may be stored in scans, each of which touches every pixel.

Cameras write one scan and progressive encoders about ten. A file of some megabytes has room for
tens of thousands, which keep a decoder busy for minutes.
"""

import re
import struct

from segnext.serve.refusals import RefusalError

MOST_SCANS = 64
# Within pixels, 0xFF is followed by 0, or by a restart marker; before a marker it may be repeated.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_SCAN, _END = 0xDA, 0xD9


def check_jpeg(data: bytes) -> None:
    """Refuse a JPEG of too many scans.

    Args:
        data: The whole file, with a header that was parsed.

    Raises:
        RefusalError: 415.
    """
    position, scans = 2, 0
    while (found := _MARKER.search(data, position)) and data[found.start() + 1] != _END:
        scans += data[found.start() + 1] == _SCAN
        if scans > MOST_SCANS:
            msg = f"picture: a JPEG of more than {MOST_SCANS} scans; save it anew"
            raise RefusalError(415, msg)
        position = found.end()
        if position + 2 > len(data):
            return
        (length,) = struct.unpack_from(">H", data, position)
        position += int(length)
