import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as reference

from segnext.data.formats.coco_rle import pack_counts, read_runs, unpack_counts
from segnext.errors import DataError


def _bitmap(seed: int, height: int, width: int, share: float) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width)) < share


@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.5, 1.0])
@pytest.mark.parametrize("size", [(1, 1), (7, 3), (300, 257)])
def test_packed_runs_agree_with_pycocotools(size: tuple[int, int], share: float) -> None:
    bitmap = _bitmap(3, *size, share)
    packed = reference.encode(np.asfortranarray(bitmap.astype(np.uint8)))
    segmentation = {"size": list(size), "counts": packed["counts"].decode()}
    np.testing.assert_array_equal(read_runs(segmentation, *size).fill(*size), bitmap)


# pycocotools 2.0 has not followed NumPy 2 there.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_plain_runs_agree_with_pycocotools() -> None:
    segmentation = {"size": [4, 5], "counts": [3, 5, 2, 7, 3]}
    packed = reference.frPyObjects(segmentation, 4, 5)
    expected = reference.decode(packed).astype(bool)
    np.testing.assert_array_equal(read_runs(segmentation, 4, 5).fill(4, 5), expected)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.5, 1.0])
@pytest.mark.parametrize("size", [(1, 1), (7, 3), (300, 257)])
def test_packing_agrees_with_pycocotools(size: tuple[int, int], share: float) -> None:
    bitmap = _bitmap(3, *size, share)
    expected = reference.encode(np.asfortranarray(bitmap.astype(np.uint8)))["counts"].decode()
    flat = np.concatenate([[False], bitmap.T.reshape(-1)])
    cuts = np.flatnonzero(flat[1:] != flat[:-1])
    assert pack_counts(np.diff(cuts, prepend=0, append=bitmap.size).tolist()) == expected


@given(st.lists(st.integers(0, 10**8), max_size=12))
def test_packed_counts_come_back(counts: list[int]) -> None:
    assert unpack_counts(pack_counts(counts)).tolist() == counts


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_any_bitmap_comes_back(height: int, width: int, seed: int) -> None:
    bitmap = _bitmap(seed, height, width, 0.3)
    packed = reference.encode(np.asfortranarray(bitmap.astype(np.uint8)))
    segmentation = {"size": [height, width], "counts": packed["counts"].decode()}
    np.testing.assert_array_equal(
        read_runs(segmentation, height, width).fill(height, width), bitmap
    )


@given(st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=60))
def test_hostile_text_is_an_error_or_numbers(text: str) -> None:
    try:
        runs = read_runs({"size": [4, 5], "counts": text}, 4, 5)
    except DataError:
        return
    assert runs.fill(4, 5).shape == (4, 5)


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ({"size": [5, 4], "counts": [20]}, r"are for \[5, 4\], but the picture has \[4, 5\]"),
        ({"counts": [20]}, r"are for None, but"),
        ({"size": [4, 5]}, r"must be a list or a text, not NoneType"),
        ({"size": [4, 5], "counts": [19]}, r"do not add up to the 20 pixels"),
        ({"size": [4, 5], "counts": [-1, 21]}, r"do not add up"),
        ({"size": [4, 5], "counts": []}, r"do not add up"),
        ({"size": [4, 5], "counts": ""}, r"do not add up"),
        ({"size": [4, 5], "counts": [2**62, 2**62, 2**62, 2**62, 20]}, r"do not add up"),
        ({"size": [4, 5], "counts": [2**80]}, r"must be whole numbers"),
        ({"size": [4, 5], "counts": [10.5, 9.5]}, r"must be whole numbers"),
        ({"size": [4, 5], "counts": ["20"]}, r"must be whole numbers"),
        ({"size": [4, 5], "counts": [[20]]}, r"must be whole numbers"),
        ({"size": [4, 5], "counts": [[20], 3]}, r"must be whole numbers"),
        ({"size": [4, 5], "counts": "d0 "}, r"a character outside 0 to o"),
        ({"size": [4, 5], "counts": "d0\u00e9"}, r"a character outside 0 to o"),
        ({"size": [4, 5], "counts": "oo"}, r"are cut off"),
        ({"size": [4, 5], "counts": "o" * 20 + "0"}, r"are cut off"),
    ],
)
def test_malformed_runs(segmentation: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_runs(segmentation, 4, 5)


def test_an_empty_text_has_no_runs() -> None:
    assert unpack_counts("").tolist() == []
