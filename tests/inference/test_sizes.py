import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segnext.inference.sizes import resized_sizes, round_up
from segnext.protocol import Protocol


def fitted_into(size: tuple[int, int], long: float, short: float) -> tuple[int, int]:
    """Write the rule of mmcv.imrescale down once more: the picture just fits, halves go up."""
    factor = min(long / max(size), short / min(size))
    return int(size[0] * factor + 0.5), int(size[1] * factor + 0.5)


def test_own_size_stays() -> None:
    assert resized_sizes((360, 480), Protocol()) == [(360, 480)]
    assert resized_sizes((360, 480), Protocol(), 0.5) == [(180, 240)]


def test_short_side_decides_whatever_the_long_one() -> None:
    assert resized_sizes((683, 512), Protocol(short_side=512)) == [(683, 512)]
    assert resized_sizes((100, 3000), Protocol(short_side=512)) == [(512, 15360)]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((512, 683), (512, 683)),  # most pictures of ADE20K
        ((960, 720), (683, 512)),
        ((100, 3000), (68, 2048)),  # the long side binds
        ((300, 300), (512, 512)),
    ],
)
def test_a_box_binds_on_either_side(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert resized_sizes(size, Protocol(box=(2048, 512), rounding="mmcv")) == [expected]


def test_sides_are_stretched_up_in_a_second_step() -> None:
    protocol = Protocol(box=(2048, 512), resize_to_multiple=32, rounding="mmcv")
    assert resized_sizes((960, 720), protocol) == [(683, 512), (704, 512)]
    assert round_up((64, 65), 32) == (64, 96)


def test_padding_changes_no_size() -> None:
    assert resized_sizes((33, 65), Protocol(pad_to_multiple=32)) == [(33, 65)]


def test_halves_go_up_or_to_the_even_side() -> None:
    assert resized_sizes((681, 683), Protocol(), 0.5) == [(340, 342)]
    assert resized_sizes((681, 683), Protocol(box=(683, 681)), 0.5) == [(340, 341)]
    assert resized_sizes((5, 5), Protocol(rounding="mmcv"), 0.5) == [(3, 3)]


sizes = st.tuples(st.integers(1, 3000), st.integers(1, 3000))
ratios = st.sampled_from([0.5, 0.75, 1.0, 1.25, 1.5, 1.75])


@given(size=sizes, ratio=ratios)
def test_scaled_boxes_are_those_of_the_old_library(size: tuple[int, int], ratio: float) -> None:
    protocol = Protocol(box=(2048, 520), rounding="mmcv")
    expected = fitted_into(size, int(2048 * ratio), int(520 * ratio))
    assert resized_sizes(size, protocol, ratio) == [tuple(max(1, side) for side in expected)]


@given(size=sizes, ratio=ratios)
def test_scaled_pictures_are_those_of_the_new_library(size: tuple[int, int], ratio: float) -> None:
    scaled = [int(side * ratio + 0.5) for side in size]
    expected = fitted_into(size, max(scaled), min(scaled))
    found = resized_sizes(size, Protocol(rounding="mmcv"), ratio)
    assert found == [tuple(max(1, side) for side in expected)]


@given(size=sizes, ratio=ratios, multiple=st.integers(2, 64))
def test_no_size_is_empty_or_off_the_multiple(
    size: tuple[int, int], ratio: float, multiple: int
) -> None:
    fitted, stretched = resized_sizes(size, Protocol(resize_to_multiple=multiple), ratio)
    assert min(fitted) >= 1
    for side, longer in zip(fitted, stretched, strict=True):
        assert longer == math.ceil(side / multiple) * multiple
