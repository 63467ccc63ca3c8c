"""Label Studio's run lengths of brush strokes, which are not those of COCO.

A stream of bits, the highest of each byte first:

    32 bits         number of values N
    5 bits          bits of a value, less one
    4 x 4 bits      four lengths of a counter in bits, less one
    then blocks until N values are there:
        1 bit       1: one value, repeated; 0: as many values as are counted
        2 bits      which of the four lengths the counter has
        counter     values of the block, less one
        value(s)

Values are those of an RGBA picture, pixel after pixel; a pixel is labelled where A is not 0.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segnext.data.shapes import Region
from segnext.errors import DataError

# As Label Studio's own encoder has them.
_COUNTER_BITS = (3, 4, 8, 16)
_LONGEST = 1 << 16


@dataclass(frozen=True)
class BrushStrokes:
    """An area as Label Studio packs it; unpacked only when it is painted.

    Attributes:
        packed: The bytes of the stream.
    """

    packed: bytes

    def fill(self, height: int, width: int) -> Region:
        """Unpack the pixels that are labelled.

        Raises:
            DataError: The stream is broken, or made for a picture of another size.
        """
        return decode_brush(self.packed, height, width)


def encode_brush(inside: Region) -> bytes:
    """Encode (H, W), true where a pixel is labelled, as white pixels on nothing."""
    flat = np.concatenate([[False], inside.reshape(-1), [False]])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    # Runs of pixels outside, inside, outside and so on; the first and last may be empty.
    lengths = np.diff(edges, prepend=0, append=inside.size) * 4
    stream = [_bits(4 * inside.size, 32), _bits(7, 5)]
    stream += [_bits(size - 1, 4) for size in _COUNTER_BITS]
    for place, length in enumerate(lengths.tolist()):
        value = _bits(255 * (place % 2), 8)
        for start in range(0, length, _LONGEST):
            count = min(_LONGEST, length - start) - 1
            which = next(n for n, size in enumerate(_COUNTER_BITS) if count < 1 << size)
            stream += ["1", _bits(which, 2), _bits(count, _COUNTER_BITS[which]), value]
    return np.packbits(np.frombuffer("".join(stream).encode(), np.uint8) - ord("0")).tobytes()


def _bits(number: int, count: int) -> str:
    return format(number, f"0{count}b")


def decode_brush(packed: bytes, height: int, width: int) -> Region:
    """Decode a stream to (height, width), true where a pixel is labelled.

    Raises:
        DataError: The stream is broken, or made for a picture of another size.
    """
    stream = _Stream(packed)
    values = stream.number(32)
    if values != height * width * 4:
        msg = f"brush strokes hold {values:,} values, not 4 for each of {width} x {height} pixels"
        raise DataError(msg)
    value_bits = stream.number(5) + 1
    counter_bits = [stream.number(4) + 1 for _ in range(4)]
    labelled = np.zeros((height, width), np.bool_)
    flat = labelled.reshape(-1)
    done = 0
    while done < values:
        repeated = stream.number(1)
        end = done + stream.number(counter_bits[stream.number(2)]) + 1
        if end > values:
            msg = f"brush strokes go on beyond their {values:,} values"
            raise DataError(msg)
        # The pixels whose alpha, the last of four values, lies in this block.
        inside = slice(done // 4, end // 4)
        if repeated:
            flat[inside] = stream.number(value_bits) != 0
        else:
            flat[inside] = stream.nonzero(end - done, value_bits)[3 - done % 4 :: 4]
        done = end
    return labelled


class _Stream:
    """Reads bits one group after the other."""

    def __init__(self, packed: bytes) -> None:
        self._bits = np.unpackbits(np.frombuffer(packed, np.uint8))
        self._packed = packed
        self._place = 0

    def number(self, count: int) -> int:
        """Read an unsigned number of at most 32 bits."""
        end = self._advance(count)
        start = end - count
        found = int.from_bytes(self._packed[start // 8 : (end + 7) // 8], "big")
        return found >> -end % 8 & (1 << count) - 1

    def nonzero(self, count: int, bits: int) -> npt.NDArray[np.bool_]:
        """Read numbers (count,) and tell which are not 0."""
        end = self._advance(count * bits)
        groups = self._bits[end - count * bits : end].reshape(count, bits)
        found: npt.NDArray[np.bool_] = np.logical_or.reduce(groups, axis=1)
        return found

    def _advance(self, count: int) -> int:
        self._place += count
        if self._place > len(self._bits):
            msg = f"brush strokes end after {len(self._packed):,} bytes, in the middle of a block"
            raise DataError(msg)
        return self._place
