import numpy as np
import pytest

from brush_strokes import bits, encode_brush, header, literal, pack, run
from segnext.data.formats import brush_rle
from segnext.data.formats.brush_rle import BrushStrokes, decode_brush
from segnext.errors import DataError


def test_a_stream_as_label_studio_wrote_it() -> None:
    # The head of a published export of a picture of 3332 x 2527: nothing is drawn in its first
    # 65,536 values, nor in the next.
    head = bytes([2, 1, 233, 240, 57, 27, 255, 255, 255, 0, 255, 255, 224, 31])
    text = "".join(bits(byte, 8) for byte in head)
    assert text[:53] == header(4 * 3332 * 2527)
    assert text[53:107].startswith(run(65536, 0) + run(65536, 0)[:20])


def test_one_value_may_be_repeated_or_written_out() -> None:
    packed = pack(header(16) + literal([255, 0, 0, 0, 0, 0, 0, 9]) + run(8, 255))
    assert decode_brush(packed, 2, 2).tolist() == [[False, True], [True, True]]
    # The alpha value alone tells, however blocks are cut.
    packed = pack(header(12) + run(3, 255) + literal([0, 255, 255]) + run(2, 0) + literal([0] * 4))
    assert decode_brush(packed, 1, 3).tolist() == [[False, False, False]]


@pytest.mark.parametrize("seed", range(8))
def test_bitmaps_come_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bitmap = rng.random((9, 13)) < 0.4
    for packed in (encode_brush(bitmap), encode_brush(bitmap, rng)):
        np.testing.assert_array_equal(BrushStrokes(packed).fill(9, 13), bitmap)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_what_we_pack_comes_back(share: float) -> None:
    # 4 x 170 x 200 values: more than one block counts.
    bitmap = np.random.default_rng(0).random((170, 200)) < share
    packed = brush_rle.encode_brush(bitmap)
    np.testing.assert_array_equal(decode_brush(packed, 170, 200), bitmap)


def test_we_pack_as_label_studio_does() -> None:
    packed = brush_rle.encode_brush(np.array([[False, True, True]]))
    counted = "1" + "00" + bits(3, 3) + bits(0, 8) + "1" + "00" + bits(7, 3) + bits(255, 8)
    assert packed == pack(header(12) + counted)


def test_other_lengths_of_values_and_counters() -> None:
    blocks = "1" + "00" + bits(7, 3) + "1" + "0" + "01" + bits(7, 5) + "00010000"
    packed = pack(header(16, 1, (3, 5, 1, 16)) + blocks)
    assert decode_brush(packed, 2, 2).tolist() == [[True, True], [True, False]]


def test_a_stream_for_another_size() -> None:
    packed = encode_brush(np.ones((2, 2), np.bool_))
    with pytest.raises(DataError, match=r"hold 16 values, not 4 for each of 3 x 2 pixels"):
        decode_brush(packed, 2, 3)
    lie = pack(header(2**32 - 1) + run(1, 1))
    with pytest.raises(DataError, match=r"hold 4,294,967,295 values, not 4 for each of 2 x 2"):
        decode_brush(lie, 2, 2)


@pytest.mark.parametrize("length", [0, 3, 6, 8, 9])
def test_a_stream_that_ends_early(length: int) -> None:
    packed = pack(header(16) + literal([0] * 16))[:length]
    with pytest.raises(DataError, match=rf"end after {length} bytes, in the middle of a block"):
        decode_brush(packed, 2, 2)


def test_a_block_that_goes_on_too_long() -> None:
    with pytest.raises(DataError, match=r"go on beyond their 16 values"):
        decode_brush(pack(header(16) + run(17, 255)), 2, 2)


def test_noise_is_decoded_or_refused() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        noise = rng.integers(0, 2, 80).astype(str)
        packed = pack(header(64) + "".join(noise))
        try:
            assert decode_brush(packed, 4, 4).shape == (4, 4)
        except DataError:
            continue
