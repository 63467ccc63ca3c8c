import pytest
import torch
from torch import Tensor
from torch.nn import functional

from segnext.classes import Classes
from segnext.errors import UsageError
from segnext.inference.backends import Runner, resize_logits
from segnext.inference.description import GraphDescription
from segnext.spec import ModelSpec


class Pool(Runner):
    """Logits that are means of 8x8 blocks, or their labels at full size."""

    def __init__(self, **options: object) -> None:
        super().__init__("pool", 3, torch.device("cpu"))
        self.batches: list[int] = []
        if options:
            spec = ModelSpec("segnext_tiny", {}, Classes(("a", "b", "c")))
            self.describe_as(GraphDescription(spec, **options))

    def compute(self, images: Tensor) -> Tensor:
        self.batches.append(len(images))
        logits = functional.avg_pool2d(images, 8)
        if self.output == "logits":
            return logits
        return resize_logits(logits, *images.shape[-2:]).argmax(1).to(torch.uint8)


def test_logits_and_labels() -> None:
    images = torch.randn(2, 3, 64, 72)
    runner = Pool()
    logits, labels = runner.run(images), runner.run(images, "labels")
    assert logits.shape == (2, 3, 8, 9)
    assert labels.shape == (2, 64, 72)
    assert labels.dtype == torch.int64
    assert torch.equal(labels, resize_logits(logits, 64, 72).argmax(1))


def test_labels_from_inside_a_graph() -> None:
    images = torch.randn(2, 3, 64, 72)
    labels = Pool(output="labels").run(images, "labels")
    assert labels.dtype == torch.int64
    assert torch.equal(labels, Pool().run(images, "labels"))


@pytest.mark.parametrize(("count", "batches"), [(1, [2]), (2, [2]), (5, [2, 2, 2])])
def test_a_fixed_batch_is_filled_and_cut(count: int, batches: list[int]) -> None:
    images = torch.randn(count, 3, 64, 64)
    runner = Pool(batch=2)
    torch.testing.assert_close(runner.run(images), Pool().run(images))
    assert runner.batches == batches


@pytest.mark.parametrize(
    ("shape", "options", "output", "message"),
    [
        (
            (1, 4, 64, 64),
            {},
            "logits",
            r"images are \(batch, 3, height, width\) .* \(1, 4, 64, 64\)",
        ),
        ((3, 64, 64), {}, "logits", r"images are \(batch, 3, height, width\)"),
        ((1, 3, 31, 64), {}, "logits", "images of 31x64 px are too small: at least 32x32"),
        (
            (1, 3, 64, 64),
            {"size": (64, 96)},
            "logits",
            r"takes images of 64x96 px \(height x width\), got 64x64; export with --dynamic",
        ),
        (
            (1, 3, 64, 70),
            {"multiple": 32},
            "logits",
            "pool takes sides in multiples of 32 px here, got 64x70",
        ),
        (
            (1, 3, 64, 64),
            {"output": "labels"},
            "logits",
            "this file gives labels, and logits are needed here .* --output logits",
        ),
    ],
)
def test_images_that_do_not_fit(
    shape: tuple[int, ...], options: dict[str, object], output: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        Pool(**options).run(torch.zeros(shape), output)
