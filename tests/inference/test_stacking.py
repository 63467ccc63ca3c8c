import numpy as np
import pytest
import torch
from torch import Tensor

from lively_models import enliven
from segnext.inference.backends.runner import ModuleRunner
from segnext.inference.logits import compute_picture_logits
from segnext.inference.stacking import MOST_PIXELS, Stacker
from segnext.models import SegNeXt
from segnext.protocol import Protocol
from segnext.spec import IMAGENET_NORMALIZATION

CPU = torch.device("cpu")


def draw(count: int, height: int = 40, width: int = 56) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (height, width, 3), np.uint8) for _ in range(count)]


class Network:
    """A network whose numbers may depend on the batch, and that counts its runs."""

    def __init__(self, *, exact: bool, price: float) -> None:
        self.exact = exact
        self.price = price
        self.batches: list[int] = []

    def __call__(self, images: Tensor) -> Tensor:
        self.batches.append(len(images))
        logits = torch.nn.functional.avg_pool2d(images, 8)
        return logits if self.exact else logits + 1e-6 * len(images)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[Network]:
    """Time that passes by the price of a network's runs."""
    watched: list[Network] = []

    def now() -> float:
        (network,) = watched
        return sum(1.0 if size == 1 else network.price * size for size in network.batches)

    monkeypatch.setattr("segnext.inference.stacking.time.perf_counter", now)
    return watched


def stack(network: Network, clock: list[Network], protocol: Protocol = Protocol()) -> Stacker:  # noqa: B008
    clock.append(network)
    return Stacker([ModuleRunner("fake", network, 3, CPU)], IMAGENET_NORMALIZATION, protocol)


def test_exact_and_faster_is_stacked(clock: list[Network]) -> None:
    network = Network(exact=True, price=0.5)
    stacker = stack(network, clock)
    stacker.compute(draw(4))
    network.batches.clear()
    pictures = draw(7)
    seen = stacker.compute(pictures)
    # 4 are known to be worth it; of 2 it is found out now; 1 is left.
    assert network.batches == [4, 2, 2, 1, 1, 1]
    runner = ModuleRunner("fake", Network(exact=True, price=1), 3, CPU)
    for picture, logits in zip(pictures, seen, strict=True):
        alone = compute_picture_logits(runner, picture, IMAGENET_NORMALIZATION, Protocol())
        assert torch.equal(logits.views[0].tiles[0].logits, alone.views[0].tiles[0].logits)
        assert (logits.height, logits.width) == (40, 56)


@pytest.mark.parametrize(("exact", "price"), [(False, 0.5), (True, 2.0)])
def test_what_differs_or_is_slower_is_not(exact: bool, price: float, clock: list[Network]) -> None:
    network = Network(exact=exact, price=price)
    stacker = stack(network, clock)
    first = stacker.compute(draw(2))
    network.batches.clear()
    again = stacker.compute(draw(2))
    assert network.batches == [1, 1]
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one.views[0].tiles[0].logits, other.views[0].tiles[0].logits)


def test_large_pictures_and_several_views_go_one_by_one(clock: list[Network]) -> None:
    network = Network(exact=True, price=0.5)
    stacker = stack(network, clock)
    side = int((MOST_PIXELS / 2) ** 0.5) + 32
    stacker.compute(draw(2, side, side))
    assert network.batches == [1, 1]
    for protocol in (Protocol(flip=True), Protocol(window=32, stride=32)):
        clock.clear()
        network = Network(exact=True, price=0.5)
        stack(network, clock, protocol).compute(draw(2))
        assert len(network.batches) > 2


def test_a_real_network_gives_the_same_in_any_company(smallest_model: SegNeXt) -> None:
    runner = ModuleRunner("eager", enliven(smallest_model), 3, CPU)
    protocol = Protocol(pad_to_multiple=32)
    stacker = Stacker([runner], IMAGENET_NORMALIZATION, protocol)
    pictures = draw(5)
    for _ in range(2):
        for picture, logits in zip(pictures, stacker.compute(pictures), strict=True):
            alone = compute_picture_logits(runner, picture, IMAGENET_NORMALIZATION, protocol)
            assert torch.equal(logits.views[0].tiles[0].logits, alone.views[0].tiles[0].logits)
            assert logits.views[0].tiles[0].height == alone.views[0].tiles[0].height
