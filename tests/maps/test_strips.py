import itertools

import pytest

from segnext.inference.views import window_starts
from segnext.maps.strips import part_below, plan_strips
from segnext.protocol import Protocol

PROTOCOLS = [
    Protocol(window=64, stride=32, overlap="blend"),
    Protocol(window=96, overlap="logits"),
    Protocol(window=50, stride=7, overlap="probabilities"),
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("width", [20, 64, 700, 1001, 4001])
def test_kept_columns_join_to_the_width(protocol: Protocol, width: int) -> None:
    strips = plan_strips(width, protocol, most=600)
    assert strips[0].first == strips[0].left == 0
    assert strips[-1].last == strips[-1].right == width
    for one, other in itertools.pairwise(strips):
        assert one.last == other.first
    assert len(strips) == 1 or width > 600


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_strips_have_the_windows_of_the_map(protocol: Protocol) -> None:
    width = 4000
    assert protocol.window is not None
    window, stride = protocol.window, protocol.effective_stride
    every = window_starts(width, window, stride)
    strips = plan_strips(width, protocol, most=600)
    assert len(strips) > 3
    for strip in strips:
        own = window_starts(strip.right - strip.left, window, stride)
        starts = [strip.left + start for start in own]
        assert set(starts) <= set(every)
        # As they are batched, so are they in the map.
        assert every.index(starts[0]) % 4 == 0
        assert strip is strips[-1] or len(starts) % 4 == 0
        touching = {s for s in every if s < strip.last + 8 and s + window > strip.first - 8}
        assert touching <= set(starts)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("row", [0, 1, 63, 64, 512, 1999])
def test_a_part_has_every_window_of_its_rows(protocol: Protocol, row: int) -> None:
    height = 2000
    assert protocol.window is not None
    (strip,) = plan_strips(100, protocol)
    part = part_below(row, strip, height, protocol)
    assert (part.left, part.right, part.bottom) == (0, 100, height)
    every = window_starts(height, protocol.window, protocol.effective_stride)
    assert part.top in every
    above = [start for start in every if start < part.top]
    assert all(start + protocol.window + 8 <= row for start in above)
