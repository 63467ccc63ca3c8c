"""Write brush strokes as Label Studio packs them, for tests of what reads them."""

import numpy as np
import numpy.typing as npt


def bits(value: int, count: int) -> str:
    return format(value, f"0{count}b")


def pack(text: str) -> bytes:
    whole = text + "0" * (-len(text) % 8)
    return int(whole, 2).to_bytes(len(whole) // 8, "big")


def header(values: int, value_bits: int = 8, sizes: tuple[int, ...] = (3, 4, 8, 16)) -> str:
    counters = "".join(bits(size - 1, 4) for size in sizes)
    return bits(values, 32) + bits(value_bits - 1, 5) + counters


def run(count: int, value: int, value_bits: int = 8) -> str:
    return "1" + "11" + bits(count - 1, 16) + bits(value, value_bits)


def literal(values: list[int], value_bits: int = 8) -> str:
    return "0" + "10" + bits(len(values) - 1, 8) + "".join(bits(v, value_bits) for v in values)


def encode_brush(bitmap: npt.NDArray[np.bool_], rng: np.random.Generator | None = None) -> bytes:
    """Pack a bitmap (H, W) as grey RGBA, in runs of one value, or cut up at random places."""
    values = np.repeat(bitmap.reshape(-1).astype(int) * 255, 4)
    cuts = np.flatnonzero(np.diff(values)) + 1
    if rng is not None:
        cuts = np.unique([*cuts, *rng.integers(1, len(values), 20)])
    text = header(len(values))
    for part in np.split(values, cuts):
        if rng is not None and len(part) <= 256 and rng.random() < 0.5:
            text += literal(part.tolist())
        else:
            text += run(len(part), part[0])
    return pack(text)
