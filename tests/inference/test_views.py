import numpy as np
import pytest
import torch
from torch import Tensor

from segnext.classes import Classes
from segnext.inference.backends import Runner
from segnext.inference.description import GraphDescription
from segnext.inference.views import MovingView, PictureRows, open_rows, view_sizes
from segnext.protocol import Protocol
from segnext.spec import IMAGENET_NORMALIZATION, ModelSpec

CPU = torch.device("cpu")
RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (75, 90, 3), dtype=np.uint8)


class Recorder(Runner):
    """A network that gives the mean of each 8x8 block, and keeps what it was fed."""

    def __init__(self, description: GraphDescription | None = None) -> None:
        super().__init__("recorder", 3, CPU)
        self.fed: list[Tensor] = []
        if description is not None:
            self.describe_as(description)

    def compute(self, images: Tensor) -> Tensor:
        self.fed.append(images)
        if images.dtype == torch.uint8:
            images = images.permute(0, 3, 1, 2).float()
        return torch.nn.functional.avg_pool2d(images, 8, ceil_mode=True)


def describe(**options: object) -> GraphDescription:
    spec = ModelSpec("segnext_tiny", {}, Classes(("a", "b", "c")))
    return GraphDescription(spec, **options)


@pytest.mark.parametrize("size", [(75, 90), (96, 96), (40, 50)])
def test_rows_join_to_the_whole(size: tuple[int, int]) -> None:
    rows = PictureRows(IMAGE, IMAGENET_NORMALIZATION, size, CPU)
    whole = rows.read(0, size[0])
    assert whole.shape == (1, 3, *size)
    parts = [rows.read(first, min(first + 13, size[0])) for first in range(0, size[0], 13)]
    torch.testing.assert_close(torch.cat(parts, dim=2), whole, atol=1e-4, rtol=1e-4)


def test_windows_are_computed_when_they_are_needed() -> None:
    runner = Recorder()
    rows = PictureRows(IMAGE, IMAGENET_NORMALIZATION, (75, 90), CPU)
    view = MovingView(runner, rows, Protocol(window=32, stride=20), mirrored=False)
    assert view.seen().tiles == ()
    view.advance(0)
    assert {tile.top for tile in view.seen().tiles} == {0}
    assert view.next_top == 20
    view.advance(42)
    assert {tile.top for tile in view.seen().tiles} == {0, 20, 40}
    view.forget(52)
    assert {tile.top for tile in view.seen().tiles} == {40}
    view.advance(75)
    assert view.next_top is None
    assert {tile.top for tile in view.seen().tiles} == {40, 43}


def test_a_network_that_normalises_itself_is_fed_stored_pixels() -> None:
    runner = Recorder(describe(pixels=True))
    protocol = Protocol(pad_to_multiple=32)
    sizes = view_sizes(runner, (75, 90), protocol, 1.0)
    rows = open_rows(IMAGE, IMAGENET_NORMALIZATION, sizes, protocol, runner)
    MovingView(runner, rows, protocol, mirrored=False).advance(75)
    (fed,) = runner.fed
    assert fed.shape == (1, 96, 96, 3)
    assert fed.dtype == torch.uint8
    assert np.array_equal(fed[0, :75, :90].numpy(), IMAGE)
    # The mean of ImageNet, which normalisation makes nearly 0.
    assert set(fed[0, 75:].flatten().tolist()) == {114}


def test_a_network_for_one_size_is_fed_that_size() -> None:
    runner = Recorder(describe(size=(64, 96)))
    assert view_sizes(runner, (75, 90), Protocol(short_side=50), 1.0) == [(64, 96)]
    assert view_sizes(runner, (75, 90), Protocol(window=64), 1.0) == [(75, 90)]


def test_a_network_for_multiples_is_fed_multiples() -> None:
    runner = Recorder(describe(multiple=32))
    assert view_sizes(runner, (75, 90), Protocol(), 1.0)[-1] == (96, 96)
    assert view_sizes(runner, (75, 90), Protocol(pad_to_multiple=64), 1.0)[-1] == (75, 90)
