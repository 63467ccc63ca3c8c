import io
import struct
import time
import zlib

import numpy as np
import pytest
import tifffile

from segnext.serve.refusals import RefusalError
from segnext.serve.tiff_limits import check_tiff

PHOTO = np.random.default_rng(0).integers(0, 256, (50, 60, 3), np.uint8)


def encode(image: np.ndarray = PHOTO, **options: object) -> bytes:
    content = io.BytesIO()
    tifffile.imwrite(content, image, **{"photometric": "rgb", **options})
    return content.getvalue()


def refuse(data: bytes) -> RefusalError:
    with pytest.raises(RefusalError) as caught:
        check_tiff(data, max_pixels=100_000)
    return caught.value


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "deflate"},
        {"compression": "deflate", "predictor": True},
        {"compression": "deflate", "tile": (16, 16)},
        {"compression": "deflate", "rowsperstrip": 7},
        {"byteorder": ">"},
        {"bigtiff": True},
    ],
)
def test_usual_files_pass(options: dict[str, object]) -> None:
    check_tiff(encode(**options), max_pixels=3000)


def test_planes_and_16_bits_pass() -> None:
    planes = PHOTO.transpose(2, 0, 1).astype(np.uint16) * 256
    check_tiff(encode(planes, planarconfig="separate", compression="deflate"), max_pixels=3000)


def test_strips_that_unfold_too_far_are_refused() -> None:
    data = bytearray(encode(compression="deflate", rowsperstrip=50))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        tags = file.pages.first.tags
        offsets, counts = tags[273].valueoffset, tags[279].valueoffset
        sizes = {tag: {3: "<H", 4: "<I"}[int(tags[tag].dtype)] for tag in (273, 279)}
    bomb = zlib.compress(bytes(20_000_000), 9)
    assert len(bomb) < 65536
    struct.pack_into(sizes[273], data, offsets, len(data))
    struct.pack_into(sizes[279], data, counts, len(bomb))
    refusal = refuse(bytes(data) + bomb)
    assert refusal.status == 413
    assert refusal.message == (
        "picture: its packed data unfold to more than its size says; save it anew"
    )


def test_endless_pages_are_refused_at_once() -> None:
    chain = bytearray(b"II*\0" + struct.pack("<I", 8))
    for _ in range(50_000):
        place = len(chain)
        chain += struct.pack("<H", 2) + struct.pack("<HHII", 256, 3, 1, 1)
        chain += struct.pack("<HHII", 257, 3, 1, 1) + struct.pack("<I", place + 30)
    begin = time.perf_counter()
    assert refuse(bytes(chain)).status == 415
    assert time.perf_counter() - begin < 1


def test_other_packings_are_refused() -> None:
    data = bytearray(encode())
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        place = file.pages.first.tags[259].valueoffset
    struct.pack_into("<H", data, place, 5)
    refusal = refuse(bytes(data))
    assert (refusal.status, "without compression or with deflate" in refusal.message) == (415, True)


def test_too_many_pixels() -> None:
    refusal = refuse(encode(np.zeros((400, 300, 3), np.uint8)))
    assert refusal.status == 413
    assert "300 x 400 is 120,000 pixels" in refusal.message


def test_broken_ones() -> None:
    assert refuse(b"II*\0\xff\xff\xff\xff").status == 400
    assert refuse(encode()[:12]).status == 400
