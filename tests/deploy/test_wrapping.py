import numpy as np
import pytest
import torch
from torch import nn

from exports import lively_model, scene_spec
from segnext.classes import Classes
from segnext.data.transforms import normalize
from segnext.deploy.wrapping import ExportedNetwork, PixelNormalization, halve
from segnext.inference import fold
from segnext.inference.cells import label_image
from segnext.inference.description import GraphDescription
from segnext.spec import Normalization

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.1)


@pytest.mark.parametrize(
    "normalization",
    [
        Normalization(MEAN, STD),
        Normalization(MEAN, STD, low=(0.1, 0.2, 0.3), high=(0.6, 0.7, 0.8)),
        Normalization(MEAN, STD, nodata=7),
        Normalization(MEAN, STD, nodata=0.5),  # no byte holds it
    ],
)
def test_pixels_are_normalised_as_in_training(normalization: Normalization) -> None:
    pixels = PIXELS.copy()
    pixels[3:6, 4:9] = 7
    pixels[0, 0, 0] = 7
    found = PixelNormalization(normalization)(torch.from_numpy(pixels)[None])
    expected = normalize(pixels, normalization).transpose(2, 0, 1)
    np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-6)


@torch.no_grad()
def test_labels_are_those_of_the_logits() -> None:
    model = lively_model()
    network = ExportedNetwork(fold(model), GraphDescription(scene_spec(), "labels")).eval()
    images = torch.randn(2, 3, 45, 70)
    labels = network(images)
    assert labels.shape == (2, 45, 70)
    assert labels.dtype == torch.uint8
    for one, logits in zip(labels, model(images), strict=True):
        assert (one.long() == label_image(logits, 45, 70)).float().mean() > 0.999


@torch.no_grad()
def test_one_class_has_labels_0_and_1() -> None:
    spec = scene_spec(classes=Classes(("road",)))
    network = ExportedNetwork(
        fold(lively_model(num_classes=1)), GraphDescription(spec, "labels")
    ).eval()
    images = torch.randn(1, 3, 64, 64)
    logits = network.network(images)[0]
    assert torch.equal(network(images)[0].long(), label_image(logits, 64, 64))


def test_more_than_255_labels_need_more_than_a_byte() -> None:
    for count, kind in ((255, torch.uint8), (256, torch.int32)):
        spec = scene_spec(classes=Classes.numbered(count))
        network = ExportedNetwork(fold(lively_model()), GraphDescription(spec, "labels"))
        assert network.label_type == kind


@torch.no_grad()
def test_the_plain_layout_gives_the_same() -> None:
    description, images = GraphDescription(scene_spec()), torch.randn(1, 3, 64, 96)
    model = lively_model()
    usual = ExportedNetwork(fold(model), description).eval()(images)
    plain = ExportedNetwork(fold(model), description, channels_last=False).eval()
    assert torch.allclose(plain(images), usual, atol=1e-4)
    assert all(p.stride() == torch.empty(p.shape).stride() for p in plain.parameters())


@torch.no_grad()
def test_halves_keep_float32_where_it_matters() -> None:
    model, images = lively_model(), torch.randn(1, 3, 64, 96)
    network = halve(fold(model))
    assert network.decoder.classifier.weight.dtype == torch.float16
    assert network.decoder.nmf.initial_bases.dtype == torch.float32
    norms = [m for m in network.modules() if isinstance(m, nn.GroupNorm | nn.LayerNorm)]
    assert len(norms) == 7
    assert all(norm.weight.dtype == torch.float32 for norm in norms)
    logits = ExportedNetwork(network, GraphDescription(scene_spec())).eval()(images)
    assert logits.dtype == torch.float32
    expected = model(images)
    assert (logits - expected).abs().max() < 0.05 * expected.abs().max()
