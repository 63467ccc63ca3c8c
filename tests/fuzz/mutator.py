"""Seeds made wrong: bytes, trees of JSON or YAML, and PNG files whose checksums hold again."""

import json
import math
import re
import struct
import zlib
from collections.abc import Sequence
from random import Random
from typing import Any

# Stand for what no JSON writer would write: see `dump_json`.
DEEP, DIGITS = "@deep@", "@digits@"
_DEPTH = 100_000
EXTREMES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 255, 256, 65_535, 65_536),
    *(2**31 - 1, 2**31, -(2**31), 2**32, 2**53, 2**63 - 1, 2**63, -(2**63), 2**64, 10**30, 10**400),
    *(0.5, 1e-320, 1e308, -1e308, math.nan, math.inf, -math.inf),
    *("", "a", "0", "nan", "1e999", "..", "../../x", "/etc/passwd", "\0", "\ud800", "é" * 300),
    *("a" * 70_000, [], {}, [[]], [[[]]], {"": {}}, [0] * 5000, DEEP, DIGITS),
)
_INTEGERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)


class Mutator:
    """Changes seeds at random.

    Args:
        random: Chooses; a seeded one, or Hypothesis's.
        tokens: Pieces that mean something to the reader.
    """

    def __init__(self, random: Random, tokens: Sequence[bytes] = ()) -> None:
        self.random = random
        self.tokens = tokens

    def change_bytes(self, data: bytes, others: Sequence[bytes]) -> bytes:
        """Change bytes one to six times."""
        out = bytearray(data)
        for _ in range(self.random.choice((1, 1, 1, 2, 3, 6))):
            self._change_once(out, others)
        return bytes(out)

    def _change_once(self, out: bytearray, others: Sequence[bytes]) -> None:
        rng = self.random
        # Headers lie in front, and matter most.
        end = len(out) if rng.random() < 0.6 else min(len(out), 64)
        place = rng.randrange(end + 1)
        match rng.randrange(9):
            case 0 if place < len(out):
                out[place] ^= 1 << rng.randrange(8)
            case 1 if place < len(out):
                out[place] = rng.randrange(256)
            case 2:
                del out[place:]
            case 3:
                del out[place : place + rng.choice((1, 2, 4, 16, 256))]
            case 4:
                other = rng.choice(others)
                start = rng.randrange(len(other) + 1)
                out[place:] = other[start:]
            case 5:
                piece = out[place : place + rng.choice((1, 4, 16, 64))]
                out[place:place] = piece * rng.choice((1, 2, 100))
            case 6 if self.tokens:
                token = rng.choice(self.tokens)
                out[place : place + rng.choice((0, len(token)))] = token
            case 7:
                form = rng.choice((">I", "<I", ">H", "<H", "<Q"))
                value = rng.choice(_INTEGERS) & (1 << 8 * struct.calcsize(form)) - 1
                out[place : place + struct.calcsize(form)] = struct.pack(form, value)
            case _:
                out[place:place] = rng.randbytes(rng.choice((1, 2, 8)))

    def change_tree(self, tree: Any) -> Any:
        """Return a copy of a tree that differs in one to four places."""
        tree = _copy(tree)
        for _ in range(self.random.choice((1, 1, 1, 2, 4))):
            tree = self._change_node(tree)
        return tree

    def _change_node(self, tree: Any) -> Any:
        rng = self.random
        places = list(_places(tree))
        if not places or rng.random() < 0.01:
            return _copy(rng.choice(EXTREMES))
        owner, key = rng.choice(places)
        match rng.randrange(8):
            case 0:
                del owner[key]
            case 1 if isinstance(owner, dict):
                owner[rng.choice(("", "x", "__class__", "id", "size", f"{key}x"))] = owner.pop(key)
            case 2 if isinstance(owner, list):
                owner[key:key] = [owner[key]] * rng.choice((1, 2, 500))
            case 3:
                other, there = rng.choice(places)
                if there in other if isinstance(other, dict) else there < len(other):
                    owner[key] = _copy(other[there])
            case 4 if isinstance(owner[key], int | float):
                factor = rng.choice((-1, 2, 1000, 10**9, 0.5))
                try:
                    owner[key] = owner[key] * factor + rng.choice((0, 1))
                except OverflowError:  # no float is that large
                    owner[key] //= 2
            case 5 if isinstance(owner[key], str):
                text = owner[key].encode("utf-8", "surrogatepass")
                owner[key] = self.change_bytes(text, [text]).decode("utf-8", "replace")
            case _:
                owner[key] = _copy(rng.choice(EXTREMES))
        return tree


def _places(tree: Any) -> Any:
    if isinstance(tree, dict | list):
        for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
            yield tree, key
            yield from _places(tree[key])


def _copy(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _copy(value) for key, value in tree.items()}
    return [_copy(value) for value in tree] if isinstance(tree, list) else tree


def dump_json(tree: Any) -> str:
    """Write JSON, and what JSON can be made to be: nested deeply, of endless digits, not finite."""
    text = json.dumps(tree, default=repr)
    text = text.replace(f'"{DEEP}"', "[" * _DEPTH + "]" * _DEPTH)
    return text.replace(f'"{DIGITS}"', "9" * 5000)


def encode_json(tree: Any) -> bytes:
    """Write JSON as bytes; YAML readers take it, too."""
    return dump_json(tree).encode("utf-8", "surrogatepass")


def encode_yaml(tree: Any) -> bytes:
    """Write YAML that is JSON but for whole numbers as keys."""
    return re.sub(rb'"([0-9]+)":', rb"\1:", encode_json(tree))


def mend_png(data: bytes) -> bytes:
    """Write the checksums of a PNG's chunks anew, so that a reader looks at what they guard."""
    out, place = bytearray(data), 8
    while place + 12 <= len(out):
        (length,) = struct.unpack_from(">I", out, place)
        end = place + 8 + length
        if end + 4 > len(out):
            break
        out[end : end + 4] = struct.pack(">I", zlib.crc32(out[place + 4 : end]))
        place = end + 4
    return bytes(out)
