import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from segnext.classes import Classes
from segnext.errors import UsageError
from segnext.inference import compute_mask, compute_picture_logits
from segnext.inference.backends import ModuleRunner, Runner
from segnext.inference.description import GraphDescription
from segnext.inference.labels_only import compute_labels
from segnext.predict import Predictor
from segnext.protocol import Protocol
from segnext.spec import IMAGENET_NORMALIZATION, ModelSpec

SPEC = ModelSpec("segnext_tiny", {}, Classes(("a", "b", "c")))
IMAGE = np.random.default_rng(0).integers(0, 256, (64, 90, 3), dtype=np.uint8)
CPU = torch.device("cpu")


def pool(images: Tensor) -> Tensor:
    return functional.avg_pool2d(images, 8, ceil_mode=True)


class Labels(Runner):
    """A graph that ends in labels."""

    def __init__(self) -> None:
        super().__init__("labels", 3, CPU)
        self.describe_as(GraphDescription(SPEC, "labels"))

    def compute(self, images: Tensor) -> Tensor:
        size = images.shape[-2:]
        return functional.interpolate(pool(images), size=size, mode="bilinear").argmax(1).byte()


@pytest.mark.parametrize("protocol", [Protocol(), Protocol(resize_to_multiple=32)])
def test_equal_or_near_to_the_mask_of_logits(protocol: Protocol) -> None:
    mask = compute_labels([Labels()], IMAGE, IMAGENET_NORMALIZATION, protocol)
    runner = ModuleRunner("pool", pool, 3, CPU)
    logits = compute_picture_logits(runner, IMAGE, IMAGENET_NORMALIZATION, protocol)
    assert mask.dtype == np.uint8
    assert mask.shape == (64, 90)
    same = (mask == compute_mask(logits)).mean()
    assert same == 1 if protocol == Protocol() else same > 0.9


@pytest.mark.parametrize(
    "protocol", [Protocol(window=32), Protocol(scales=(1.0, 2.0)), Protocol(flip=True)]
)
def test_what_is_put_together_needs_logits(protocol: Protocol) -> None:
    with pytest.raises(
        UsageError, match="are put together from logits, and this file gives labels"
    ):
        compute_labels([Labels()], IMAGE, IMAGENET_NORMALIZATION, protocol)


def test_a_predictor_takes_them_but_has_no_confidence() -> None:
    predictor = Predictor(Labels())
    prediction = predictor(IMAGE)
    assert prediction.mask.shape == (64, 90)
    assert repr(predictor) == "Predictor(segnext_tiny, 3 classes, labels)"
    with pytest.raises(
        UsageError, match="labels without probabilities; export with --output logits"
    ):
        prediction.confidence  # noqa: B018
    with pytest.raises(UsageError, match="labels without probabilities"):
        next(predictor.predict_bands(IMAGE))
