import pytest
import torch

from segnext.errors import UsageError
from segnext.inference import compute_logits, compute_mask
from segnext.inference.blending import blend_tiles
from segnext.inference.views import Tile
from segnext.models import SegNeXt
from segnext.protocol import Protocol


def tile(value: float, top: int, left: int) -> Tile:
    return Tile(torch.full((2, 4, 4), value), top, left, 32, 32)


def test_windows_that_agree_stay_as_they_are() -> None:
    tiles = [tile(3.0, top, left) for top in (0, 16) for left in (0, 16, 32)]
    blended = blend_tiles(tiles, 0, 48)
    assert (blended.top, blended.left, blended.height, blended.width) == (0, 0, 48, 64)
    torch.testing.assert_close(blended.logits, torch.full((2, 6, 8), 3.0))


def test_weights_fall_towards_the_edges() -> None:
    # Two windows of four logits share two: weights 2, 1 of the left against 1, 2 of the right.
    blended = blend_tiles([tile(0.0, 0, 0), tile(9.0, 0, 16)], 0, 32)
    assert blended.logits[0, 0].tolist() == pytest.approx([0, 0, 3, 6, 9, 9])


def test_only_the_rows_that_are_needed() -> None:
    tiles = [tile(float(top), top, 0) for top in (0, 32, 64, 96)]
    blended = blend_tiles(tiles, 40, 50)
    assert (blended.top, blended.height) == (32, 32)
    assert (blended.logits == 32).all()
    # A row at the seam lies between the logits of both.
    assert blend_tiles(tiles, 60, 64).logits.unique().tolist() == [32, 64]


def test_one_window_is_the_picture(smallest_model: SegNeXt) -> None:
    images = torch.randn(1, 3, 64, 96)
    whole = compute_logits(smallest_model.eval(), images, Protocol())
    blended = compute_logits(smallest_model, images, Protocol(window=96, overlap="blend"))
    assert (compute_mask(whole) == compute_mask(blended)).all()


def test_windows_lie_on_one_grid(smallest_model: SegNeXt) -> None:
    protocol = Protocol(window=64, overlap="blend")
    assert protocol.effective_stride == 32
    picture = compute_logits(smallest_model.eval(), torch.randn(1, 3, 101, 130), protocol)
    tiles = picture.views[0].tiles
    assert {t.top % 32 for t in tiles} == {t.left % 32 for t in tiles} == {0}
    assert max(t.top + t.height for t in tiles) == 128
    assert compute_mask(picture).shape == (101, 130)


def test_a_window_off_the_grid_is_refused() -> None:
    with pytest.raises(UsageError, match="windows that blend have a side in multiples of 32 px"):
        Protocol(window=100, overlap="blend")
